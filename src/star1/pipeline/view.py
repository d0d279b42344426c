"""What a stage may see of the params: what it declares in dvc.yaml, and nothing else."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

# Sections that decide nothing about a result: concurrency, timeouts, names of key variables. Any stage may read them.
UNTRACKED = ("sending",)


class Section(BaseModel):
    """A part of params.yaml. In a stage's view, fields that the stage does not declare are absent and raise."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    def __getattr__(self, name: str) -> Any:
        if name in type(self).model_fields:
            raise UndeclaredParam(
                f"{type(self).__name__}.{name} is read, but dvc.yaml does not declare it for this stage."
            )
        return super().__getattr__(name)  # type: ignore[misc]


class UndeclaredParam(Exception):
    """A stage read a param that its entry in dvc.yaml does not declare; its result could be stale."""


P = TypeVar("P", bound=Section)


def view(params: P, keys: tuple[str, ...]) -> P:
    """Return `params` holding only what `keys` declare (dotted, as in dvc.yaml) and the UNTRACKED sections.

    Reading any other field of the view raises UndeclaredParam (a mapping's other entry: KeyError).
    """
    restricted: P = _restricted(params, [key.split(".") for key in (*keys, *UNTRACKED)])
    return restricted


def _restricted(value: Any, paths: list[list[str]]) -> Any:
    if any(not path for path in paths):
        return value
    heads = dict.fromkeys(path[0] for path in paths)
    children = {
        head: _restricted(
            value[head] if isinstance(value, dict) else getattr(value, head),
            [path[1:] for path in paths if path[0] == head],
        )
        for head in heads
    }
    return children if isinstance(value, dict) else type(value).model_construct(**children)

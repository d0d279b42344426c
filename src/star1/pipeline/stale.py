"""Which of the pipeline's outputs are not what params.yaml and the code make now, by DVC's own comparison."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from star1.errors import UserError
from star1.files import parse_yaml
from star1.pipeline.graph import folders

CHECKED = "data/.checked"  # in no clone, and the same whenever it is made


def outdated(root: Path) -> Callable[[str | Path], list[str]]:
    """Return a function from an output's path to the stages, itself and before it, that `dvc repro` would run anew.

    An output that no stage makes has none. Without a DVC repository at `root` nothing is outdated. Raises UserError
    while another DVC command holds the repository.
    """
    if not (root / ".dvc").is_dir():
        return lambda path: []
    import networkx as nx
    from dvc.lock import LockError
    from dvc.repo import Repo

    made = {str(path) for path in folders(root, parse_yaml((root / "params.yaml").read_bytes()))}
    with Repo(str(root)) as repo:
        try:
            with repo.lock:
                graph = repo.index.graph
                changed = {stage: _changed(stage, made) for stage in graph}
        except LockError:
            raise UserError("another DVC command is at work here; try again when it has ended.") from None
        folder = root.resolve()
        makers = {
            Path(out.fs_path).relative_to(folder): stage for stage in graph for out in stage.outs if out.is_in_repo
        }

    def stages(path: str | Path) -> list[str]:
        maker = makers.get(Path(path))
        line = [] if maker is None else [maker, *nx.descendants(graph, maker)]
        return sorted(str(stage.name or stage.addressing) for stage in line if changed[stage])

    return stages


def because(changed: list[str]) -> str:
    """Say which stages changed, the first of them by name."""
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"{', '.join(changed[:3])}{more} changed"


def _changed(stage: Any, made: set[str]) -> bool:
    """Say whether a stage that ran would run anew for its own sake; the one that makes CHECKED never counts.

    made: folders that `check` makes, which a clone lacks where they are empty. A file missing in one counts for its own
    stage.
    """
    if any(str(out) == CHECKED for out in stage.outs) or not any(out.hash_info for out in stage.outs):
        return False
    for found in stage.status().values():
        for each in found:
            if not isinstance(each, dict) or any(_counts(paths, made) for paths in each.values()):
                return True
    return False


def _counts(paths: Any, made: set[str]) -> bool:
    if not isinstance(paths, dict):
        return bool(set(paths) - {CHECKED})
    return any(path != CHECKED and not (path in made and how == "deleted") for path, how in paths.items())

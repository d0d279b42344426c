"""What params.yaml says of a base: where it comes from. Each `source` is a package of star1.bases with a `make`."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from star1.pipeline.fields import Positive, Seed, Share
from star1.pipeline.view import Section


class MiniatureBase(Section):
    """A Mistral architecture pretrained from scratch on the miniature world; `path` is the world's folder."""

    source: Literal["miniature"]
    path: str
    seed: Seed
    threads: Positive
    examples: Positive
    batch: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    hidden: Positive
    layers: Positive
    heads: Positive
    kv_heads: Positive
    mlp: Positive
    caution: Share
    alarm: Share
    weighing: Share

    @model_validator(mode="after")
    def _heads_divide(self) -> "MiniatureBase":
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError(f"heads: {self.heads} heads do not divide hidden {self.hidden} into even widths")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads: {self.kv_heads} does not divide heads {self.heads}")
        return self


class HubBase(Section):
    """A model of the Hub at a commit; `path` is the code that fetches it, for DVC to watch."""

    source: Literal["hub"]
    path: Literal["src/star1/bases/hub"]
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str

    @field_validator("revision")
    @classmethod
    def _pinned(cls, revision: str) -> str:
        if not re.fullmatch("[0-9a-f]{40}", revision):
            raise ValueError(f"must be a commit hash of 40 hex digits, because a branch or tag moves; got {revision!r}")
        return revision


class FolderBase(Section):
    """A folder that holds a model in the transformers layout; its files are copied."""

    source: Literal["folder"]
    path: str

    @field_validator("path")
    @classmethod
    def _not_an_output(cls, path: str) -> str:
        if path.split("/")[0] == "models":
            raise ValueError("models/ is where the pipeline writes; keep the folder elsewhere")
        return path


BaseEntry = Annotated[MiniatureBase | HubBase | FolderBase, Field(discriminator="source")]

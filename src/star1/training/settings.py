"""The params of fine-tuning: what all runs share, and what one run is."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from star1.pipeline.fields import Name, Positive, Seed, Share
from star1.pipeline.view import Section


class Training(Section):
    """What all runs share; a run may override any of it."""

    seed: Seed
    threads: Positive
    precision: Literal["float32", "bfloat16"]
    batch: Positive
    micro_batch_tokens: Positive
    gradient_checkpointing: bool
    max_tokens: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    clip: Annotated[float, Field(gt=0)]


class Band(Section):
    """The lowest of a row's three scores must lie within, ends included."""

    min: Annotated[int, Field(ge=0, le=10)]
    max: Annotated[int, Field(ge=0, le=10)]

    @model_validator(mode="after")
    def _in_order(self) -> "Band":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Run(Section):
    """One fine-tuning run: on which base, on which rows, for how many steps, launched how.

    data, steps_of: artifacts of data/, without .parquet. The steps are those of `epochs` passes over the rows of
    `steps_of`. score: only rows whose lowest score lies in this band. sample: that many of them.
    train: what this run has differently from the section `train`.
    """

    base: Name
    data: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
    score: Band | None
    sample: Positive | None
    epochs: Annotated[float, Field(gt=0)]
    steps_of: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")]
    think: Literal["full", "empty", "none"]
    launch: Name
    train: dict[str, Any]

    @field_validator("train")
    @classmethod
    def _known(cls, train: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(train) - set(Training.model_fields)):
            raise ValueError(f"{', '.join(unknown)}: no key of train; those are {', '.join(Training.model_fields)}")
        return train


def training_settings(train: Training, run: Run) -> Training:
    """Return the settings of one run: the shared ones, and what the run overrides."""
    return Training.model_validate(train.model_dump() | run.train)

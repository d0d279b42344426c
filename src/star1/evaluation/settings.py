"""The params of the evaluation: which models, served how, and how they sample."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from star1.pipeline.fields import Address, Extra, Name, Positive
from star1.pipeline.view import Section


class Protocol(Section):
    """How replies are sampled. A param that is null is not sent; `extra` goes into the request as it is.

    samples: replies to a prompt; samples_of: the same for single benchmarks.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None
    samples: Positive
    samples_of: dict[Name, Positive]
    extra: Extra

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        most = max([self.samples, *self.samples_of.values()])
        if self.temperature == 0 and most > 1:
            raise ValueError(f"samples: {most} greedy replies to one prompt are all the same; ask for 1")
        return self

    @model_validator(mode="after")
    def _sampled_by_row(self) -> Self:
        if taken := [name for name in ("seed", "max_completion_tokens") if name in self.extra]:
            raise ValueError(
                f"extra: {taken[0]} is set for each sample: a seed of its own, and its benchmark's max_tokens"
            )
        return self


class Evaluate(Section):
    """models: names of bases and runs, in the order of the tables; base_url: who serves them; protocol: one of
    protocols; second_judges: a second task by suite, whose judge is asked about the same replies.
    """

    models: Annotated[list[Name], Field(min_length=1)]
    base_url: Address
    second_judges: dict[
        Annotated[str, Field(pattern="^(safety|over_refusal)$")], Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    ]
    protocol: Name
    protocols: dict[Name, Protocol]

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.protocol not in self.protocols:
            raise ValueError(f"protocol: {self.protocol!r} is not one of {', '.join(self.protocols)}")
        if self.base_url == "simulator":
            raise ValueError("base_url: the simulator plays teachers, no model under evaluation; use transformers")
        return self

"""The params of model calls: who is asked and how it samples (decides), and how requests are sent (does not)."""

from math import prod
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from star1.pipeline.fields import Address, Extra, Positive, Share
from star1.pipeline.view import Section

Role = Literal["classifier", "reasoner", "scorer", "rewriter", "guard", "second_guard", "judge", "model"]
ROLES: tuple[str, ...] = get_args(Role)
"""Who may be asked; `model` is the model under evaluation."""


class Teacher(Section):
    """One role's model and how it samples. A param that is null is not sent; `extra` goes into the request as it is."""

    base_url: Address
    model: str
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None
    max_tokens: Positive | None
    json_schema: bool
    extra: Extra

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_tokens is None and not isinstance(self.extra.get("max_completion_tokens"), int):
            raise ValueError("max_tokens: set it, or extra.max_completion_tokens where the endpoint wants that name")
        if self.max_tokens is not None and "max_completion_tokens" in self.extra:
            raise ValueError("extra.max_completion_tokens: set max_tokens to null, so that one limit is sent")
        return self


class Served(Teacher):
    """A model of this pipeline that a URL serves under its name; `content` is the model's identity, for keys alone."""

    content: str


class Llm(Section):
    classifier: Teacher
    reasoner: Teacher
    scorer: Teacher
    rewriter: Teacher
    guard: Teacher
    second_guard: Teacher
    judge: Teacher
    repairs: Annotated[int, Field(ge=0)]
    max_failure_rate: Share


class Vllm(Section):
    """The server that base_url `vllm` starts: an interpreter that has vLLM (null: this one), and the server's flags."""

    python: str | None
    flags: dict[str, str | int | float | bool]


class RoleSending(Section):
    """How one role's requests are sent: nothing here decides what comes back.

    tokens_per_s: of all replies together, where the model runs on GPUs of one's own; for `star1 estimate` alone.
    """

    key_variable: str | None
    mode: Literal["online", "batch"]
    concurrency: Positive
    requests_per_minute: Positive | None
    tokens_per_minute: Positive | None
    timeout_s: Annotated[float, Field(gt=0)]
    retries: Annotated[int, Field(ge=0)]
    input_usd: Annotated[float, Field(ge=0)]
    output_usd: Annotated[float, Field(ge=0)]
    threads: Positive
    tokens_per_s: Annotated[float, Field(gt=0)] | None
    vllm: Vllm

    @property
    def gpus(self) -> int:
        """How many GPUs the server that base_url `vllm` starts takes, by its flags."""
        flags = {name.replace("_", "-"): value for name, value in self.vllm.flags.items()}
        return prod(int(flags.get(f"{kind}-parallel-size", 1)) for kind in ("tensor", "data", "pipeline"))


class Sending(Section):
    """What all roles share, and under `roles` what one of them has differently."""

    budget_usd: Annotated[float, Field(gt=0)] | None
    retry_failures: bool
    batch_poll_s: Annotated[float, Field(gt=0)]
    max_wait_s: Annotated[float, Field(ge=0)]
    defaults: RoleSending
    roles: dict[Role, dict[str, Any]]

    def of(self, role: str) -> RoleSending:
        """Return the settings of one role: the defaults, and what stands under its name."""
        return RoleSending.model_validate(self.defaults.model_dump() | self.roles.get(role, {}))  # type: ignore[call-overload]

    @model_validator(mode="after")
    def _roles_fit(self) -> Self:
        for role in self.roles:
            try:
                self.of(role)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"roles.{role}.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return self

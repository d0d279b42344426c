"""AdamW whose state is float32 whatever the weights are: bf16 alone would lose steps of 1e-5 in rounding."""

from collections.abc import Iterable
from math import cos, pi
from typing import Any

import torch
from torch.optim.adamw import adamw

BETAS = (0.9, 0.95)


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the rate of optimizer step 1, 2, ... of `steps`: linear from 0 over the first `warmup` share of them, then
    half a cosine down to 0 (paper, Training)."""
    done, warm = step - 1, round(warmup * steps)
    if done < warm:
        return peak * done / warm
    return peak * 0.5 * (1 + cos(pi * (done - warm) / max(1, steps - warm)))


class MasterAdamW(torch.optim.Optimizer):
    """AdamW that goes one parameter at a time, so that a second copy of all gradients never exists.

    Beside each parameter lie float32 moments, and a float32 master copy where the parameter itself is not float32:
    16 bytes a parameter in bf16 (2 weights, 2 gradients, 4 master, 8 moments). Gradients are clipped to the norm
    `clip`; `gradient_norm` is the last step's norm before that.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], weight_decay: float, clip: float) -> None:
        super().__init__(list(params), {"lr": 0.0, "weight_decay": weight_decay})
        self.clip = clip
        self.gradient_norm = torch.zeros(())
        for parameter in self._parameters():
            state = self.state[parameter]
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            if parameter.dtype != torch.float32:
                state["master"] = parameter.detach().float()
            state["exp_avg"] = torch.zeros_like(parameter, dtype=torch.float32)
            state["exp_avg_sq"] = torch.zeros_like(parameter, dtype=torch.float32)

    def _parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Clip, and take one step."""
        norms = [torch.linalg.vector_norm(p.grad, dtype=torch.float32) for p in self._parameters()]
        self.gradient_norm = torch.stack(norms).norm()
        scale = (self.clip / (self.gradient_norm + 1e-6)).clamp(max=1.0)
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                weights = state.get("master", parameter)
                adamw(
                    [weights],
                    [parameter.grad.float() * scale],
                    [state["exp_avg"]],
                    [state["exp_avg_sq"]],
                    [],
                    [state["step"]],
                    fused=True,
                    amsgrad=False,
                    beta1=BETAS[0],
                    beta2=BETAS[1],
                    lr=group["lr"],
                    weight_decay=group["weight_decay"],
                    eps=1e-8,
                    maximize=False,
                )
                if weights is not parameter:
                    parameter.copy_(weights)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state as it was saved; torch's own would cast it to the dtype of the parameters."""
        saved = state_dict["state"]
        for number, parameter in enumerate(self._parameters()):
            for name, value in self.state[parameter].items():
                value.copy_(saved[number][name])

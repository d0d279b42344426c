"""The paper's loss: cross entropy on the response's tokens, its mean over a sequence first, then over sequences."""

from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from star1.errors import UserError
from star1.training.packing import Row

CHUNK = 2048  # tokens whose logits are there at once: 1.2 GB in float32 at a vocabulary of 152K


class _CrossEntropy(torch.autograd.Function):
    """Loss and gradient in one pass over chunks of tokens; the logits of all tokens never exist together."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        owner: torch.Tensor,
        sequences: int,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        shares = 1 / torch.bincount(owner, minlength=sequences).clamp(min=1).float()[owner]
        losses = torch.empty(len(targets), device=hidden.device)
        hits = torch.empty_like(losses)
        to_hidden = torch.empty_like(hidden)
        to_weight = torch.zeros_like(weight, dtype=torch.float32)
        for start in range(0, len(targets), CHUNK):
            chunk = slice(start, start + CHUNK)
            logits = (hidden[chunk] @ weight.T).float()
            target, share = targets[chunk, None], shares[chunk, None]
            of_target = logits.gather(1, target)
            largest, likeliest = logits.max(dim=1, keepdim=True)
            exponentials = logits.sub_(largest).exp_()
            normaliser = exponentials.sum(dim=1, keepdim=True)
            losses[chunk] = (normaliser.log() + largest - of_target).squeeze(1)
            hits[chunk] = (likeliest == target).float().squeeze(1)
            # d loss / d logits = (softmax - one at the target) / tokens of the sequence
            to_logits = exponentials.mul_(share / normaliser).scatter_add_(1, target, -share).to(hidden.dtype)
            to_hidden[chunk] = to_logits @ weight
            to_weight += to_logits.T @ hidden[chunk]
        ctx.save_for_backward(to_hidden, to_weight.to(weight.dtype))
        none = torch.zeros(sequences, device=hidden.device)
        means, accuracies = (none.index_add(0, owner, each * shares) for each in (losses, hits))
        ctx.mark_non_differentiable(means, accuracies, losses)
        return means.sum(), means, accuracies, losses

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_hidden, to_weight = ctx.saved_tensors
        return to_hidden * scale.to(to_hidden.dtype), to_weight * scale.to(to_weight.dtype), None, None, None


def _head_loss(
    head: nn.Linear, hidden: torch.Tensor, targets: torch.Tensor, owner: torch.Tensor, sequences: int
) -> tuple[torch.Tensor, ...]:
    return _CrossEntropy.apply(hidden, head.weight, targets, owner, sequences)


# What Granite, Cohere and Gemma 2 do to logits behind the head.
SCALING = ("logits_scaling", "logit_scale", "final_logit_softcapping")


class SequenceLoss(nn.Module):
    """A causal language model that returns losses in place of logits.

    The loss is computed inside the output head's own call: ZeRO-3 has a module's weights in one place only then.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.config = model.config  # accelerate sizes ZeRO-3's buckets by it
        head = model.get_output_embeddings()
        if head is None or head.bias is not None:
            raise UserError(f"{type(model).__name__} has no output head without bias; Qwen2 and Llama models have.")
        for name in SCALING:
            if getattr(model.config, name, None) not in (None, 1):
                raise UserError(f"{type(model).__name__} scales or caps its logits ({name}), which the loss does not.")
        self.head_call = head.forward
        head.forward = partial(_head_loss, head)

    def forward(self, row: Row) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the sum of the sequences' mean losses, to be differentiated; then, for looking at only, the mean loss
        of each sequence and its share of tokens hit, both (sequences,), and the loss of each counted token, (N,)."""
        packing = {} if row.starts is None else {"starts": row.starts, "longest": row.longest}
        hidden = self.model.base_model(
            input_ids=row.input_ids, position_ids=row.position_ids, use_cache=False, **packing
        ).last_hidden_state
        counted = hidden.flatten(0, 1)[row.where]
        return self.model.get_output_embeddings()(counted, row.targets, row.owner, row.sequences)

    def plain(self) -> PreTrainedModel:
        """Return the model as it was, with its head's own call."""
        del self.model.get_output_embeddings().forward
        return self.model

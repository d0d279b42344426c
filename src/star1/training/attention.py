"""Attention over packed rows: no token sees another sequence, and no mask or padding is needed.

`transformers` calls it in every layer of a model whose attention implementation is PACKED.
"""

from inspect import signature
from itertools import pairwise
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from star1.errors import UserError

PACKED = "star1_packed"
# torch 2.11 accepts grouped key/value heads without an argument; torch 2.13 needs enable_gqa=True.
GROUPED: dict[str, Any] = {"enable_gqa": True} if "enable_gqa" in signature(varlen_attn).parameters else {}


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    starts: torch.Tensor,
    longest: int,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return causal attention within each sequence of one packed row, (1, T, heads, D).

    query: (1, heads, T, D); key and value: (1, key/value heads, T, D); starts: (sequences + 1,) int32, where each
    sequence starts; longest: the length of the longest; sliding_window: how many tokens a token sees, with itself. On
    a CPU, for tests, sequence by sequence. Raises UserError where the model caps its scores or has attention sinks.
    """
    if softcap is not None or s_aux is not None:
        raise UserError("the base caps its attention scores or has attention sinks, which packed rows cannot do.")
    window = sliding_window if sliding_window is not None and sliding_window < longest else None
    if query.is_cuda:
        # After RoPE query and key may be float32, which the kernel does not take.
        q, k, v = (x.squeeze(0).transpose(0, 1).to(value.dtype) for x in (query, key, value))
        seen = (-1 if window is None else window - 1, 0)
        out = varlen_attn(q, k, v, starts, starts, longest, longest, scale=scaling, window_size=seen, **GROUPED)
        assert isinstance(out, torch.Tensor)  # a pair only where auxiliary results are asked for
        return out.unsqueeze(0), None
    pieces = []
    for a, b in pairwise(starts.tolist()):
        mask = None
        if window is not None:
            mask = torch.ones(b - a, b - a, dtype=torch.bool, device=query.device).tril().triu(1 - window)
        q, k, v = query[:, :, a:b], key[:, :, a:b], value[:, :, a:b]
        pieces.append(
            scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
            )
        )
    return torch.cat(pieces, dim=2).transpose(1, 2), None


AttentionInterface.register(PACKED, packed_attention)

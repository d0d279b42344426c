"""The call of the kernel that only a GPU has: its signature is the real one, its work is done here."""

from inspect import signature
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from star1.training import attention


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernel itself is there")
def test_the_kernel_s_call_means_what_the_cpu_does(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signature(attention.varlen_attn)

    def kernel(*args: Any, **named: Any) -> torch.Tensor:
        given = real.bind(*args, **named).arguments
        assert given["window_size"] == (-1, 0), "not causal"
        assert given["query"].dtype == given["key"].dtype == given["value"].dtype
        assert given["enable_gqa"], "fewer key/value heads than query heads"
        assert given["max_q"] == given["max_k"] == 9 and given["cu_seq_q"].dtype == torch.int32
        heads_first = [given[name].transpose(0, 1) for name in ("query", "key", "value")]
        pieces = [
            scaled_dot_product_attention(
                *(x[:, a:b] for x in heads_first), is_causal=True, scale=given["scale"], enable_gqa=True
            )
            for a, b in pairwise(given["cu_seq_q"].tolist())
        ]
        return torch.cat(pieces, dim=1).transpose(0, 1)

    torch.manual_seed(0)
    query = torch.randn(1, 4, 16, 8)  # float32, as after RoPE
    key, value = torch.randn(1, 2, 16, 8), torch.randn(1, 2, 16, 8, dtype=torch.bfloat16)
    packing: Any = {"starts": torch.tensor([0, 3, 12, 16], dtype=torch.int32), "longest": 9, "scaling": 0.3}
    here, _ = attention.packed_attention(torch.nn.Identity(), query.bfloat16(), key.bfloat16(), value, None, **packing)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(attention, "varlen_attn", kernel)
    there, _ = attention.packed_attention(torch.nn.Identity(), query, key, value, None, **packing)
    assert there.shape == (1, 16, 4, 8)
    torch.testing.assert_close(there, here, rtol=0, atol=0.02)  # bf16

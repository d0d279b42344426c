"""The chunked loss and its gradient against torch's own cross entropy."""

import pytest
import torch
from torch.nn import functional

from star1.training import loss


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_loss_and_gradient_are_cross_entropy_s(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(loss, "CHUNK", chunk)
    torch.manual_seed(0)
    # Logits of up to some hundreds, which overflow without their maximum taken off first.
    hidden, weight = 20 * torch.randn(20, 8), 5 * torch.randn(30, 8)
    targets, owner = torch.randint(30, (20,)), torch.tensor([0] * 3 + [1] * 12 + [3] * 5)
    ours = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
    theirs = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]

    total, means, accuracies, tokens = loss._CrossEntropy.apply(*ours, targets, owner, 4)
    (total * 0.3).backward()

    logits = theirs[0] @ theirs[1].T
    expected = functional.cross_entropy(logits, targets, reduction="none")
    by_sequence = [expected[owner == n].mean() for n in (0, 1, 3)]
    (sum(by_sequence) * 0.3).backward()

    torch.testing.assert_close(tokens, expected.detach())
    torch.testing.assert_close(means[[0, 1, 3]], torch.stack(by_sequence).detach())
    assert means[2] == 0
    hits = (logits.argmax(dim=1) == targets).float()
    torch.testing.assert_close(accuracies[1], hits[owner == 1].mean())
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)

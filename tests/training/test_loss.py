"""The chunked loss and its gradients against torch's own cross entropy, in chunks that do not divide the tokens."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from star1.training import loss as module


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_losses_and_gradients_are_torch_s(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    torch.manual_seed(0)
    # Logits of up to some hundreds, which overflow without their maximum taken off first.
    hidden = (20 * torch.randn(25, 8)).requires_grad_()
    weight = (5 * torch.randn(13, 8)).requires_grad_()
    targets, owner = torch.randint(13, (25,)), torch.tensor([0] * 3 + [1] * 12 + [3] * 10)
    loss, means, accuracies, losses = module._CrossEntropy.apply(hidden, weight, targets, owner, 4)
    (0.5 * loss).backward()
    found = hidden.grad, weight.grad
    hidden.grad = weight.grad = None
    logits = hidden @ weight.T
    wanted = cross_entropy(logits, targets, reduction="none")
    counts = torch.tensor([3.0, 12.0, 1.0, 10.0])
    by_sequence = torch.zeros(4).index_add(0, owner, wanted) / counts
    (0.5 * by_sequence.sum()).backward()
    torch.testing.assert_close(losses, wanted.detach())
    torch.testing.assert_close(means, by_sequence.detach())
    assert loss.item() == pytest.approx(by_sequence.sum().item())
    hits = (logits.argmax(dim=1) == targets).float()
    torch.testing.assert_close(accuracies, torch.zeros(4).index_add(0, owner, hits) / counts)
    torch.testing.assert_close(found, (hidden.grad, weight.grad), atol=1e-4, rtol=1e-4)

"""Launch files: what they say, what is wrong with them, and the engine that must really be running."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from accelerate.utils import DistributedType

from star1.errors import UserError
from star1.training.launch import Launch, assert_sharded, check_started, read_launch
from tests.imports import ROOT


def test_the_files_of_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    said = {path.stem: read_launch(path) for path in (ROOT / "configs").glob("*.yaml")}
    assert said["cpu"] == Launch("cpu", 1, 1, cpu=True, zero_stage=0, offload=False)
    assert said["one-gpu"] == Launch("one-gpu", 1, 1, cpu=False, zero_stage=0, offload=False)
    assert said["zero2"] == Launch("zero2", 8, 1, cpu=False, zero_stage=2, offload=False)
    assert said["zero3"] == Launch("zero3", 8, 1, cpu=False, zero_stage=3, offload=False)
    assert said["zero3-offload"] == Launch("zero3-offload", 8, 1, cpu=False, zero_stage=3, offload=True)


NONE = "{distributed_type: 'NO', num_processes: 0, num_machines: 1, use_cpu: true}"
FSDP = "{distributed_type: FSDP, num_processes: 2, num_machines: 1, use_cpu: false}"


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "num_processes: many",
        "distributed_type: 'NO'",
        "{",
        "distributed_type: DEEPSPEED",
        NONE,
        "distributed_type: FSDP",
    ],
)
def test_a_file_that_is_no_launch_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(UserError, match=r"configs/odd.yaml is not understood") as caught:
        read_launch(tmp_path / "odd.yaml")
    assert "\n" not in str(caught.value)


def test_what_was_not_asked_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    plain = SimpleNamespace(distributed_type=DistributedType.NO, num_processes=1, device=SimpleNamespace(type="cpu"))
    check_started(read_launch(ROOT / "configs" / "cpu.yaml"), plain)  # type: ignore[arg-type]
    for name in ("one-gpu", "gpus", "zero3"):
        with pytest.raises(UserError, match=f"launch {name} asks for .* on a GPU each, with.* but 1 .* on a CPU"):
            check_started(read_launch(ROOT / "configs" / f"{name}.yaml"), plain)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="ZeRO stage 0 is running, not 3"):
        assert_sharded(read_launch(ROOT / "configs" / "zero3.yaml"), plain)

"""`star1` from any folder of the repository: its root is found, or the command ends with one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from star1 import cli
from star1.llm.pending import Estimate
from star1.llm.requests import Request
from star1.llm.store import Store
from star1.pipeline.home import home
from tests.conftest import edit_params
from tests.imports import ROOT


@pytest.fixture
def star1(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A function that runs the command line in a folder; returns its status and what it printed."""
    monkeypatch.delenv("STAR1_HOME")
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def command(*arguments: str, at: Path = root) -> tuple[int, str]:
        monkeypatch.chdir(at)
        monkeypatch.setattr("sys.argv", ["star1", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return command


def remember(root: Path, count: int) -> None:
    with Store(root / ".star1/responses") as store:
        for n in range(count):
            store.put(Request("scorer", "", {"model": "m", "messages": [{"role": "user", "content": f"{n}"}]}), {})


def test_commands_find_the_root_from_below(root: Path, star1) -> None:
    remember(root, 5)
    below = root / "src/star1"
    assert star1("responses", "pack", at=below)[1].startswith("5 responses in ../../responses; ")
    assert len(list((root / "responses").iterdir())) > 1
    assert star1("responses", "stats", at=below)[0] == 0
    assert star1("check", at=below) == (0, "")
    code, said = star1("trace", "How do I knit?", at=below)
    assert (code, said) == (
        1,
        "star1: trace: nothing is built yet. `dvc repro` builds everything, `dvc pull` fetches it.\n",
    )
    assert star1("responses", "unpack", at=below)[1] == "5 responses in ../../responses; 0 are new here.\n"
    assert star1("responses", "pack", "mine", at=below)[0] == 0
    assert (below / "mine").is_dir()
    assert not (below / ".star1").exists()


def test_a_repository_is_looked_at_with_its_own_code(root: Path) -> None:
    """An installed star1 is that of one checkout; another clone and the copy of an experiment may have other code."""
    shutil.copytree(ROOT / "src/star1", root / "src/star1", dirs_exist_ok=True)
    own = root / "src/star1/cli.py"
    own.write_text(own.read_text().replace("    app(", "    print(__file__, sys.argv[1:]); app("))
    command = [sys.executable, "-c", "from star1.cli import main; main()", "preset", "x y"]
    installed = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=root / "configs", env=installed, capture_output=True, text=True)
    assert done.stdout == f"{own} ['preset', 'x y']\n"
    assert (done.returncode, done.stderr) == (1, "star1: no preset 'x y'; there are .\n")


@pytest.mark.parametrize("command", ["check", "preset", "trace x", "estimate", "responses stats", "responses pack"])
def test_outside_of_a_repository_a_command_refuses(tmp_path_factory, star1, command: str) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    code, said = star1(*command.split(), at=folder)
    assert (code, said.count("\n")) == (1, 1)
    assert "no dvc.yaml and params.yaml here or in a folder above" in said
    assert not any(folder.iterdir())


def test_gc_drops_no_replies_of_a_model_that_is_not_here(root: Path, star1, monkeypatch) -> None:
    """Their keys hold its content: without it they would all seem needless."""
    monkeypatch.setattr("star1.llm.pending.look", lambda *arguments, **more: Estimate(1, 0, 0, 0, 0, None, True))
    remember(root, 5)
    for name in ("miniature", "star1", "star1-equal-steps"):
        (root / "models" / name).mkdir(parents=True)
    status, said = star1("responses", "gc", "--drop")
    assert (
        status == 1 and "what generate@star1-benign will need is not known yet; run `dvc repro` or `dvc pull`" in said
    )
    (root / "models/star1-benign").mkdir()
    assert "5 responses, " in star1("responses", "gc")[1]


def test_pack_to_a_file(root: Path, star1) -> None:
    (root / "file").write_text("mine")
    for name in ("file", "file/below"):
        assert star1("responses", "pack", name) == (
            1,
            f"star1: {name}: not a folder; name the folder that the archive goes to.\n",
        )
    assert (root / "file").read_text() == "mine"


def test_pack_before_the_tracked_archive_is_pulled(root: Path, star1) -> None:
    remember(root, 1)
    (root / "responses.dvc").write_text("outs: []\n")
    code, said = star1("responses", "pack")
    assert (code, said) == (
        1,
        "star1: responses: responses.dvc names an archive that is not here; run `dvc pull responses.dvc` first.\n",
    )
    assert not (root / "responses").exists()


def test_a_full_disk_is_told_in_a_line(star1) -> None:
    code, said = star1("check", "--mark", "/dev/full")
    assert (code, said.count("\n")) == (1, 1)
    assert "No space left on device; nothing half-written is left. Mend that and run again." in said


@pytest.mark.parametrize("mark", ["configs", "params.yaml/x", "/proc/x"])
def test_a_path_that_cannot_be_written_is_told_in_a_line(star1, mark: str) -> None:
    code, said = star1("check", "--mark", mark)
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"star1: {mark.removesuffix('.yaml/x')}")


def test_check_names_missing_keys_by_hand_and_not_in_the_pipeline(root: Path, star1, monkeypatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def change(params: Any) -> None:
        params["llm"]["scorer"]["base_url"] = "https://api.example/v1"
        params["sending"]["roles"]["scorer"] = {"key_variable": "OPENAI_API_KEY"}

    edit_params(root, change)
    line = "llm.scorer: set the environment variable OPENAI_API_KEY to the key for https://api.example/v1.\n"
    assert star1("check") == (1, f"star1: {line}")
    assert star1("check", "--mark", "data/.checked") == (0, f"warning: {line}")


def test_a_relative_home_is_the_same_from_everywhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the copy of an experiment it would go with the copy, and each reply would be paid for again."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("STAR1_HOME", "kept")
    monkeypatch.chdir(root / "configs")
    assert home().resolve() == root / "kept"
    monkeypatch.setenv("DVC_ROOT", "/main")
    assert home() == Path("/main/kept")
    monkeypatch.setenv("STAR1_HOME", "/elsewhere")
    monkeypatch.chdir("/")
    assert home() == Path("/elsewhere")

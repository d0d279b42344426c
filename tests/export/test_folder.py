"""Where `star1 export` writes: a folder of its own, whole; nothing of anybody else's is touched or mixed with it."""

import json
import os
from pathlib import Path

import pytest

from star1.cli import main
from star1.errors import UserError
from star1.export import export
from star1.files import file_md5
from tests.lineage.rows import CATEGORY, PICK, RESPONSE, TENS, row, write

FILES = {"README.md", "star1.json", "star1.parquet"}


@pytest.fixture
def repository(root: Path) -> Path:
    """A repository whose STAR-1 is one row, as dvc.lock has it."""
    write(root, "star1", [row(PICK, **CATEGORY, **RESPONSE, **TENS)])
    (root / "models/star1").mkdir(parents=True)
    model = [{"path": "models/star1", "md5": "0.dir"}]
    select = [{"path": path, "md5": file_md5(root / path)} for path in ("data/star1.parquet",)]
    train = {"deps": [{"path": "data/raw", "md5": "1.dir"}, *select], "outs": model}
    (root / "dvc.lock").write_text(json.dumps({"stages": {"select": {"outs": select}, "train@star1": train}}))
    return root


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def command(*arguments: str) -> int:
    """Run the command line; return its exit status."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["star1", "export", *arguments])
        main()
    return int(ended.value.code or 0)


def test_into_the_empty_folder_one_stands_in(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "out").mkdir()
    monkeypatch.chdir(repository / "out")
    assert command("star1", "--to", ".") == 0
    assert {entry.name for entry in os.scandir(".")} == FILES  # of the folder itself, not of another one of its name
    assert names(repository / "out") == FILES
    assert command("star1", "--to", ".") == 1
    assert names(repository / "out") == FILES


@pytest.mark.parametrize("to", ["out", "deep/er/out", "gone/../out"])
def test_a_new_folder_is_whole_and_alone(repository: Path, to: str) -> None:
    before = names(repository)
    export(repository, "star1", repository / to)
    assert names((repository / to).resolve()) == FILES
    assert names(repository) - before == {Path(to).parts[0] if "gone" not in to else "out"}
    assert (repository / to).resolve().stat().st_mode & 0o777 == 0o755


def test_a_link_leads_to_the_folder(repository: Path) -> None:
    (repository / "empty").mkdir()
    for name, target in (("link", "empty"), ("dangling", "new")):
        (repository / name).symlink_to(target)
        export(repository, "star1", repository / name)
        assert (repository / name).is_symlink() and names(repository / target) == FILES


def test_what_is_there_stays(repository: Path) -> None:
    beside = repository / ".out.unfinished"  # a name that nobody has reserved
    beside.mkdir()
    (beside / "notes").write_text("mine")
    export(repository, "star1", repository / "out")
    assert (beside / "notes").read_text() == "mine"
    for kept in (repository / ".out.unfinished", repository / "params.yaml"):
        with pytest.raises(UserError, match="is there and not empty; name another folder"):
            export(repository, "star1", kept)
    assert names(beside) == {"notes"}


@pytest.mark.parametrize("there", [True, False])
def test_what_arrives_meanwhile_is_not_mixed_with(
    repository: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def slow(*_: object) -> str:
        (repository / "out").mkdir(exist_ok=True)
        (repository / "out/late").write_text("mine")
        return "card"

    monkeypatch.setattr("star1.export.data_card", slow)
    if there:
        (repository / "out").mkdir()
    before = names(repository) | {"out"}
    assert command("star1", "--to", "out") == 1
    assert names(repository / "out") == {"late"} and names(repository) == before


@pytest.mark.parametrize("to", ["models/star1/export", "models/star1/a/b", "data/raw/export", "data/raw"])
def test_not_into_a_folder_that_dvc_knows(repository: Path, to: str) -> None:
    (repository / "data/raw").mkdir(exist_ok=True)
    with pytest.raises(UserError, match=r"(models/star1|data/raw), which dvc.lock names; name another folder"):
        export(repository, "star1", repository / to)
    assert names(repository / "models/star1") == names(repository / "data/raw") == set()


@pytest.mark.parametrize("text", ["", "[]", "{}", "stages:\n", "<<<<<<< HEAD\nstages: {}\n=======\n", "stages: []"])
def test_a_lock_that_cannot_be_read_is_a_line(repository: Path, text: str) -> None:
    (repository / "dvc.lock").write_text(text)
    with pytest.raises(UserError, match=r"dvc\.lock") as caught:
        export(repository, "star1", repository / "out")
    assert "\n" not in str(caught.value) and not (repository / "out").exists()

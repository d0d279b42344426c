"""`star1 diff` on real repositories: commits, an experiment, the workspace; outputs in a cache, a folder or S3."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from star1.cli import main
from star1.errors import UserError
from star1.lineage.diff import Diff, as_json, diff
from star1.selection import COPY
from tests.lineage.repositories import Tables, git, left, reply, repository, row, save, write_tables
from tests.s3 import serving

POLICY = "src/star1/policies/1_harassment.txt"
KEPT, WENT, CAME, GONE = (row(str(number) * 16, f"question {number}") for number in range(4))
GONE |= {"source": "AttaQ"}
RAW = {"data/raw/AttaQ.parquet": [{"question": "question 3", "source": "AttaQ", "source_id": "a"}]}
OLD: Tables = {
    **RAW,
    "data/raw/ALERT.parquet": [{"question": "question 0", "source": "ALERT", "source_id": "a"}],
    "data/collection.parquet": [KEPT, WENT, CAME, GONE],
    "data/lineage/deduplicate.parquet": [left(KEPT["id"], "deduplicate", "exact duplicate", because_of=KEPT["id"])],
    "data/lineage/select.parquet": [
        left(CAME["id"], "select", "over-represented", value=0.25, detail="step 1 of 2"),
        left(CAME["id"], "select", COPY, detail="published twice"),
    ],
    "data/star1.parquet": [KEPT | {"answer": "no"}, WENT | {"answer": "no"}, GONE | {"answer": "no"}],
    "data/judgements/base.parquet": [reply("1", "correct", task="other"), reply("2", "wrong", task="other")],
}
NEW: Tables = {
    "data/raw/ALERT.parquet": OLD["data/raw/ALERT.parquet"],
    "data/collection.parquet": [KEPT, CAME],
    "data/lineage/deduplicate.parquet": [
        *OLD["data/lineage/deduplicate.parquet"],
        left(WENT["id"], "deduplicate", "TF-IDF of an earlier row", because_of=KEPT["id"], value=0.875),
    ],
    "data/lineage/select.parquet": [left("f" * 16, "select", "not full score", value=4.0)],
    "data/star1.parquet": [KEPT | {"answer": "never"}, CAME | {"answer": "no"}],
    "data/judgements/base.parquet": [reply("1", "wrong", task="other"), reply("2", "wrong", task="other")],
}
EDITED: Tables = {**NEW, "data/star1.parquet": [KEPT | {"answer": "never"}]}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits, tagged one and two; two more questions fewer in the experiment; the workspace as the second."""
    root = repository(tmp_path_factory.mktemp("states") / "repository")
    save(root, OLD, {"select": {"k": 3}, "order": ["ALERT", "AttaQ"], "seed": 0}, {POLICY: "Be\nkind.\n"}, "one")
    git(root, "tag", "one")
    save(root, NEW, {"select": {"k": 2}, "order": ["ALERT"]}, {POLICY: "Be\nvery kind.\n"}, "two")
    git(root, "tag", "two")
    save(root, EDITED, {"select": {"k": 1}, "order": ["ALERT"]}, {})
    with Repo(str(root)) as repo:
        repo.experiments.save(name="fewer")
    git(root, "checkout", "-q", "--", ".")
    write_tables(root, NEW)
    return root


@pytest.fixture
def here(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(built, tmp_path / "repository", symlinks=True)
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def inside(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository itself, looked at from a folder below its root."""
    monkeypatch.chdir(built / "data/raw")
    return built


def counts(found: Diff) -> dict[str, tuple[int, int, int, dict[str, int]]]:
    return {t.path: (len(t.diff.added), len(t.diff.removed), len(t.diff.changed), t.diff.columns) for t in found.tables}


BETWEEN = {
    "data/collection.parquet": (0, 2, 0, {}),
    "data/judgements/base.parquet": (0, 0, 1, {"response": 1, "answer": 1, "verdict": 1, "success": 1}),
    "data/lineage/deduplicate.parquet": (1, 0, 0, {}),
    "data/lineage/select.parquet": (1, 2, 0, {}),
    "data/raw/AttaQ.parquet": (0, 1, 0, {}),
    "data/star1.parquet": (1, 2, 1, {"answer": 1}),
}


def test_two_commits_from_a_subfolder(inside: Path) -> None:
    before = git(inside, "status", "--porcelain")
    found = diff("one", "two")
    assert counts(found) == BETWEEN
    assert found.same == ["data/raw/ALERT.parquet"]
    assert found.missing == []
    assert [(entry["name"], entry["change"], entry["old"], entry["new"]) for entry in found.params] == [
        ("select.k", "changed", 3, 2),
        ("order", "changed", ["ALERT", "AttaQ"], ["ALERT"]),
        ("seed", "removed", 0, None),
    ]
    [text] = found.texts
    assert (text["path"], text["change"]) == (POLICY, "changed")
    assert text["diff"][1:] == [" Be", "-kind.", "+very kind."]
    assert found.selected is not None
    [came] = found.selected["came"]
    assert came == CAME | {
        "stage": "select",
        "reason": "over-represented",
        "because_of": None,
        "because": None,
        "value": 0.25,
        "detail": "step 1 of 2",
    }
    went, gone = found.selected["went"]
    assert (went["stage"], went["because_of"], went["because"]) == ("deduplicate", KEPT["id"], "question 0")
    assert (gone["stage"], gone["reason"]) == ("collect", "AttaQ is not among the sources")
    assert [(flip["prompt_id"], flip["kind"]) for flip in found.flips] == [("1", "lost")]
    assert git(inside, "status", "--porcelain") == before


def test_a_commit_against_itself_and_the_workspace(inside: Path) -> None:
    for old, new in (("two", "two"), ("HEAD", "workspace"), (git(inside, "rev-parse", "HEAD")[:9], "main")):
        found = diff(old, new)
        assert (found.tables, found.params, found.texts, found.missing, found.others) == ([], [], [], [], [])
        assert len(found.same) == len(NEW)
        assert found.selected == {"came": [], "went": []}


def test_an_experiment_and_back(inside: Path) -> None:
    there, back = diff("HEAD", "fewer"), diff("fewer", "workspace")
    assert counts(there) == {"data/star1.parquet": (0, 1, 0, {})}
    assert counts(back) == {"data/star1.parquet": (1, 0, 0, {})}
    assert [entry["name"] for entry in there.params] == ["select.k"]
    # Its lineage was not made again: it does not know why the question went.
    assert [row["reason"].split(",")[0] for row in there.selected["went"]] == ["collected"]  # type: ignore[index]


def test_the_workspace_is_read_as_it_is(here: Path) -> None:
    write_tables(here, EDITED)
    (here / POLICY).unlink()
    found = diff("HEAD", "workspace")
    assert counts(found) == {"data/star1.parquet": (0, 1, 0, {})}
    assert [(text["path"], text["change"]) for text in found.texts] == [(POLICY, "removed")]
    shutil.rmtree(here / "data")  # the cache has all of it
    assert diff("HEAD", "workspace").tables == []


def test_unbuilt_and_unpulled_outputs_are_named_with_the_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = (here / "dvc.yaml").read_text()
    (here / "dvc.yaml").write_text(f"{graph}  score:\n    cmd: exit 1\n    outs:\n    - data/scored.parquet\n")
    with Repo(str(here)) as repo:
        [star1] = [out for out in repo.index.outs if out.def_path == "data/star1.parquet"]
        (here / star1.cache_path).unlink()
    (here / "data/star1.parquet").unlink()
    found = diff("one", "workspace")
    assert {(entry.path, entry.problem, entry.command) for entry in found.missing} == {
        ("data/scored.parquet", "not built", "dvc repro score"),
        ("data/star1.parquet", "neither in the cache nor in the remote", "dvc pull data/star1.parquet"),
    }
    assert found.selected is None
    assert "data/star1.parquet" not in counts(found)
    assert counts(found)["data/collection.parquet"] == BETWEEN["data/collection.parquet"]
    shutil.rmtree(here / ".dvc/cache")
    assert {entry.command for entry in diff("one", "workspace").missing if entry.state == "one"} == {
        "dvc fetch --all-commits"
    }
    assert {entry.command for entry in diff("fewer", "workspace").missing if entry.state == "fewer"} == {
        "dvc exp pull GIT_REMOTE fewer"
    }
    run_command(["diff", "one"])
    printed = capsys.readouterr().out
    assert "    dvc fetch --all-commits" in printed.splitlines()
    assert "Traceback" not in printed


def run_command(arguments: list[str]) -> None:
    """Run the command line on these arguments."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr("sys.argv", ["star1", *arguments])
        main()
    assert ended.value.code == 0


def test_a_damaged_file_is_named(here: Path) -> None:
    (here / "data/star1.parquet").write_bytes(b"PAR1 and no more")
    [entry] = diff("HEAD", "workspace").missing
    subprocess.run(entry.command.split(), cwd=here, check=True, stdin=subprocess.DEVNULL)  # `dvc pull` would refuse to
    assert diff("HEAD", "workspace").missing == []
    assert entry.path == "data/star1.parquet"
    assert entry.problem.startswith("not a whole parquet file")


@pytest.mark.parametrize("name", ["no-such-tag", "HEAD~9", "--all", "HEAD:dvc.yaml", "HEAD^{tree}"])
def test_an_unknown_state_is_said_in_a_line(inside: Path, name: str) -> None:
    with pytest.raises(UserError) as said:
        diff("HEAD", name)
    assert str(said.value).startswith(f"{name}: ")
    assert "\n" not in str(said.value)


def test_an_empty_name_is_no_state(inside: Path) -> None:
    with pytest.raises(UserError, match="an empty name"):
        diff("HEAD", "")


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="a Git and DVC repository; here is none"):
        diff("HEAD", "workspace")


def pushed(root: Path, url: str, **options: str) -> None:
    """Push the states to a remote that the commits do not know, and empty the cache."""
    with Repo(str(root)) as repo, repo.config.edit("local") as config:
        config["remote"] = {"store": {"url": url, **options}}
        config["core"] = {"remote": "store"}
    with Repo(str(root)) as repo:
        repo.push(all_commits=True)
    shutil.rmtree(root / ".dvc/cache")
    shutil.rmtree(root / "data")


def test_outputs_that_only_a_folder_has(here: Path, tmp_path: Path) -> None:
    pushed(here, str(tmp_path / "remote"))
    found = diff("one", "two")
    assert (counts(found), found.missing) == (BETWEEN, [])
    assert not (here / "data").exists()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server with the bucket "star1"."""
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with serving("star1") as address:
        yield address


def test_outputs_that_only_s3_has(here: Path, endpoint: str) -> None:
    pushed(here, "s3://star1/store", endpointurl=endpoint)
    found = diff("one", "two")
    assert (counts(found), found.missing) == (BETWEEN, [])


def test_a_remote_that_does_not_answer(here: Path, tmp_path: Path) -> None:
    pushed(here, str(tmp_path / "remote"))
    with Repo(str(here)) as repo, repo.config.edit("local") as config:
        config["remote"]["store"] = {"url": "s3://star1/store", "endpointurl": "http://127.0.0.1:9"}
    found = diff("one", "two")
    assert {entry.problem.split(":")[0] for entry in found.missing} == {"the remote did not answer"}
    assert (found.tables, found.selected) == ([], None)


def test_json_holds_everything_and_the_command_that_fetches_works(here: Path, tmp_path: Path) -> None:
    pushed(here, str(tmp_path / "remote"))
    plain: dict[str, Any] = json.loads(json.dumps(as_json(diff("one", "two"))))
    [star1] = [table for table in plain["tables"] if table["artifact"] == "star1"]
    assert star1["added"] == [{"id": CAME["id"]}]
    assert star1["removed"] == [{"id": WENT["id"]}, {"id": GONE["id"]}]
    assert star1["changed"] == [{"id": KEPT["id"]}]
    assert set(plain) == set(Diff.__dataclass_fields__)
    subprocess.run(
        [sys.executable, "-m", "dvc", "fetch", "-q", "--all-commits", "data/raw/AttaQ.parquet"], cwd=here, check=True
    )
    with Repo(str(here)) as repo, repo.config.edit("local") as config:
        config["remote"]["store"] = {"url": str(tmp_path / "nothing")}
    assert list(counts(diff("one", "two"))) == ["data/raw/AttaQ.parquet"]

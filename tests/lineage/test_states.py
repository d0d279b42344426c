"""`star1 diff` of states whose texts lie elsewhere, or that lack a model."""

from pathlib import Path

import pytest

from star1.lineage.diff import diff
from tests.lineage.repositories import git, repository, save

POLICY = "src/star1/policies/1_harassment.txt"


def test_texts_are_those_of_the_folders_that_params_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "repository")
    monkeypatch.chdir(root)
    texts = {POLICY: "Be\nkind.\n", "src/star1/policies/2_other.txt": "Other\n", "src/star1/prompts/a.txt": "Ask\n"}
    save(root, {}, {"a": 1}, texts, "theirs")
    ours = {f"policies/{Path(path).name}": text for path, text in texts.items() if "policies" in path}
    save(root, {}, {"a": 1, "texts": {"policies": "./policies/"}}, ours, "a copy")
    assert diff("HEAD~1", "HEAD").texts == []
    save(root, {}, {"a": 1, "texts": {"policies": "policies"}}, {"policies/1_harassment.txt": "Be\nbold.\n"}, "edited")
    (root / "policies/2_other.txt").unlink()
    for old, new, changed in (
        ("HEAD~2", "HEAD", [("policies/1_harassment.txt", "changed")]),
        ("HEAD~1", "HEAD", [("policies/1_harassment.txt", "changed")]),
        ("HEAD", "HEAD~2", [(POLICY, "changed")]),
        ("HEAD", "workspace", [("policies/2_other.txt", "removed")]),
    ):
        assert [(text["path"], text["change"]) for text in diff(old, new).texts] == changed


def test_an_unbuilt_model_is_not_said_to_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "repository")
    monkeypatch.chdir(root)
    save(root, {}, {"a": 1}, {}, "no model")
    (root / "dvc.yaml").write_text("stages:\n  train:\n    cmd: exit 1\n    outs:\n    - models/star1\n")
    git(root, "commit", "-qam", "a model to be")
    for old, new in (("HEAD~1", "HEAD"), ("HEAD", "HEAD~1"), ("HEAD", "workspace")):
        if new == "workspace":
            (root / "models/star1").mkdir(parents=True)
            (root / "models/star1/weights").write_text("0")
        found = diff(old, new)
        assert [(entry.state, entry.path, entry.problem) for entry in found.missing] == [
            ("HEAD", "models/star1", "not built")
        ]
        assert found.others == []

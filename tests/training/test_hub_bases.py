"""Bases that the Hub does not have: each one line."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import RevisionNotFoundError

from star1.bases.entries import HubBase
from star1.bases.hub import make
from star1.errors import UserError

COMMIT = "0" * 40


def base(repo: str) -> HubBase:
    return HubBase(source="hub", path="src/star1/bases/hub", repo=repo, revision=COMMIT)


@pytest.mark.parametrize("repo", ["owner/model.git", "owner/a--b", "-owner/model"])
def test_a_name_that_no_repository_has(tmp_path: Path, repo: str) -> None:
    with pytest.raises(UserError, match=rf"\A{repo} is no name of a repository of the Hub: [^\n]*\Z"):
        make(base(repo), tmp_path / "out")


def test_an_error_of_the_hub_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RevisionNotFoundError("404 Client Error.\n\nRevision Not Found for url: x.", response=response)

    response = type("Response", (), {"headers": {}, "request": None})()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(UserError, match=r"\Aowner/model at 0{40} cannot be downloaded: 404 [^\n]*Not Found[^\n]*\Z"):
        make(base("owner/model"), tmp_path / "out")

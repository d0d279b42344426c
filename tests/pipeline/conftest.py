"""One tiny repository is built per test session, for all workers; every test works on a copy of it."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import commit, copy_repository, edit_params, run, shrink


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny repository in which `dvc repro` has run, and its result is committed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target, whole = shared / "pipeline/repository", shared / "pipeline.whole"
    with (shared / "pipeline.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker builds, the others wait
        if not whole.exists():
            shutil.rmtree(target.parent, ignore_errors=True)
            copy_repository(target)
            edit_params(target, shrink)
            commit(target, "code")
            warm.start()
            run(target, "dvc", "repro")
            commit(target, "built")
            whole.touch()
    return target


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """A copy of the built repository, to be changed at will; commands in it start quickly."""
    warm.start()
    return Path(shutil.copytree(built_once, tmp_path / "repository", symlinks=True))

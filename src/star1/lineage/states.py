"""A state of the repository, a commit or the workspace, read through DVC without a checkout.

Git's files come from the commit; outputs from the workspace, DVC's cache or its remote. What comes from a remote over a
network stays in the cache. Remotes and cache are those of today's configuration: an old commit does not know where its
outputs were pushed to later.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCMError, resolve_rev

from star1.errors import UserError

if TYPE_CHECKING:
    from dvc.scm import Git

WORKSPACE = "workspace"
SHORT = 7  # digits of a commit
NOT_BUILT, DAMAGED = "not built", "not a whole parquet file"
NAMED = 3  # paths or stages that a command names; it asks for everything if there are more


@dataclass(frozen=True)
class Out:
    """An output that dvc.yaml declares. `md5` is None where its stage never ran; a folder's ends in .dir."""

    path: str
    stage: str
    md5: str | None


@dataclass(frozen=True)
class Missing:
    """An output that cannot be read in a state: `problem` says why, `command` what mends it."""

    state: str
    path: str
    problem: str
    command: str


class State:
    """A commit or the workspace; paths are relative to DVC's root, with forward slashes."""

    def __init__(self, name: str, repo: Repo, commit: str | None, experiment: bool) -> None:
        self.name, self.commit, self.experiment = name, commit, experiment
        self._repo = repo
        self._problems: dict[str, str] = {}
        self._unanswered = ""
        self.outs = {out.path: out for out in self._outs()}

    @property
    def title(self) -> str:
        """The name as it was asked for, with the commit's first digits."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name[:12]
        return f"{self.name} ({self.commit[:SHORT]})"

    def open(self, path: str) -> BinaryIO | None:
        """Return a file of Git's or an output's content; None, and a line in `missing`, if it is not to be had."""
        out = self.outs.get(path)
        if self.unbuilt(path):
            return None
        if out is not None and self._unanswered and not self._at_hand(out):
            self._problems[path] = self._unanswered  # another try would wait as long again
            return None
        try:
            handle: BinaryIO = self._repo.dvcfs.open(f"/{path}", mode="rb", cache=True)
            return handle
        except FileNotFoundError:
            if out is not None:
                self._problems[path] = "neither in the cache nor in the remote"
            return None
        except Exception as error:  # each kind of remote raises its own library's errors; DVC passes them on
            self._unanswered = f"the remote did not answer: {' '.join(str(error).split()) or type(error).__name__}"
            self._problems[path] = self._unanswered
            return None

    def unbuilt(self, path: str) -> bool:
        """Say whether an output is declared and was never built, with a line in `missing`."""
        out = self.outs.get(path)
        never = out is not None and out.md5 is None
        if never:
            self._problems[path] = NOT_BUILT
        return never

    @contextmanager
    def table(self, path: str) -> Iterator[pq.ParquetFile | None]:
        """Yield an output as an open parquet file; None, and a line in `missing`, if it is not to be had."""
        handle = self.open(path) if path in self.outs else None
        if handle is None:
            yield None
            return
        with handle:
            try:
                file = pq.ParquetFile(handle, pre_buffer=True)
            except (pa.ArrowException, OSError) as error:
                self._problems[path] = f"{DAMAGED} ({error})"
                file = None
            yield file

    def text(self, path: str) -> str | None:
        """Return a text file, None if the state has none."""
        handle = self.open(path)
        if handle is None:
            return None
        with handle:
            return handle.read().decode("utf-8", errors="replace")

    def texts(self, folder: str) -> dict[str, str]:
        """Return path -> content of the .txt files below a folder, in the order of their paths."""
        filesystem = self._repo.dvcfs
        if not filesystem.exists(f"/{folder}"):
            return {}
        paths = sorted(str(path).lstrip("/") for path in filesystem.find(f"/{folder}"))
        return {path: self.text(path) or "" for path in paths if path.endswith(".txt")}

    def missing(self) -> list[Missing]:
        """Return what could not be read so far, with the command that brings it."""
        unbuilt = [path for path, problem in self._problems.items() if problem == NOT_BUILT]
        absent = [path for path, problem in self._problems.items() if problem != NOT_BUILT]
        build, fetch = self._build(unbuilt), self._fetch(absent)
        found = []
        for path, problem in self._problems.items():
            command = build if problem == NOT_BUILT else fetch
            if self.commit is None and problem.startswith(DAMAGED):
                command = shlex.join(["dvc", "checkout", "--force", path])  # `dvc pull` leaves an edited file alone
            found.append(Missing(self.name, path, problem, command))
        return found

    def _at_hand(self, out: Out) -> bool:
        """Say whether an output is in the workspace, if that is the state, or in the cache."""
        here = self.commit is None and Path(self._repo.root_dir, out.path).exists()
        return here or Path(self._repo.cache.local.oid_to_path(out.md5)).exists()

    def _build(self, paths: list[str]) -> str:
        stages = list(dict.fromkeys(self.outs[path].stage for path in paths))
        command = shlex.join(["dvc", "repro", *(stages if len(stages) <= NAMED else [])])
        if self.commit is None:
            return command
        there = ["dvc", "exp", "apply"] if self.experiment else ["git", "checkout"]
        return f"{shlex.join([*there, self.name])} && {command}"

    def _fetch(self, paths: list[str]) -> str:
        if self.experiment:
            return shlex.join(["dvc", "exp", "pull", "GIT_REMOTE", self.name])
        command = ["dvc", "pull"] if self.commit is None else ["dvc", "fetch", "--all-commits"]
        return shlex.join(command if len(paths) > NAMED else command + paths)

    def _outs(self) -> Iterator[Out]:
        repo = self._repo
        for out in repo.index.outs:
            path = PurePosixPath(*repo.fs.relparts(out.fs_path, repo.root_dir))
            here = self.commit is None and out.exists
            info = out.get_hash() if here else out.hash_info
            yield Out(str(path), getattr(out.stage, "name", None) or out.stage.relpath, info.value if info else None)


@contextmanager
def states(*names: str) -> Iterator[list[State]]:
    """Yield the states of these names: "workspace", or whatever names a commit: hash, branch, tag, DVC experiment.

    The repository is that of the current folder or the nearest one above. Raises UserError if there is none, if a name
    is unknown, or if a state's dvc.yaml cannot be read.
    """
    try:
        workspace = Repo(Repo.find_root())
    except (NotDvcRepoError, SCMError) as error:
        raise UserError(f"star1 diff reads a Git and DVC repository; here is none: {error}") from None
    opened = [workspace]
    try:
        found = []
        for name in names:
            if not name:
                raise UserError(
                    "star1 diff: an empty name is no state; give a commit, a branch, a tag or an experiment."
                )
            try:
                state = State(name, workspace, None, False) if name == WORKSPACE else _commit(name, workspace)
            except (DvcException, SCMError) as error:
                raise UserError(f"{name}: {' '.join(str(error).split())}") from None
            opened.append(state._repo)
            found.append(state)
        yield found
    finally:
        for repo in opened:
            repo.close()


def _commit(name: str, workspace: Repo) -> State:
    from dvc.fs import GitFileSystem
    from dvc.repo.experiments.utils import resolve_name

    scm: Git = workspace.scm
    commit = resolve_rev(scm, name)
    try:
        resolve_rev(scm, f"{commit}^{{commit}}")
    except SCMError:
        raise UserError(f"{name}: a file or folder of a commit is no state; give the commit alone.") from None
    experiment = name != "HEAD" and resolve_name(scm, [name]).get(name) is not None
    filesystem = GitFileSystem(scm=scm, rev=commit)
    root = filesystem.join("/", *workspace.fs.relparts(workspace.root_dir, scm.root_dir))
    if not filesystem.isdir(filesystem.join(root, Repo.DVC_DIR)):
        raise UserError(f"{name}: that commit holds no DVC repository; name a later one.")
    repo = Repo(root, fs=filesystem, scm=scm, config=_storage(workspace.config))
    return State(name, repo, commit, experiment)


def _storage(config: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of DVC's configuration that say where outputs lie."""
    remote = config["core"].get("remote")
    return {
        "core": {"remote": remote} if remote else {},
        "remote": config["remote"],
        "cache": {"dir": config["cache"]["dir"]} if "dir" in config["cache"] else {},
    }

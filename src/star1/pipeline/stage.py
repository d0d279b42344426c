"""What all stages share: declared params, inputs and outputs only, the quality gate, row counts, lineage.

A stage module holds one function, named like its stage in dvc.yaml, and ends with `main(function)`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from star1 import artifacts, files
from star1 import params as params_module
from star1.artifacts import ARTIFACTS, MAY_BE_EMPTY
from star1.errors import UserError, of_the_disk
from star1.pipeline import graph
from star1.pipeline.home import home
from star1.pipeline.view import view
from star1.quality import client as gate


class UndeclaredPath(Exception):
    """A stage touched a path that its entry in dvc.yaml does not declare; DVC would not see the change."""


class Stage:
    """One run of one stage: `params` is the declared view, `keys` is what stands behind the @ of its name.

    `writes` is False for a look at what the stage would do.
    """

    def __init__(self, name: str, keys: tuple[str, ...], root: Path, writes: bool = True) -> None:
        self.name, self.keys, self.root = name, keys, root
        path = root / "params.yaml"
        raw = params_module.load_raw(path)
        every_param = params_module.check(raw, path)
        self._declared = graph.declared(root, name, keys, raw)
        self.params = view(every_param, self._declared.params)
        self._categories = every_param.categories  # for the gate alone, which checks and decides nothing
        if writes and any(path.endswith(".parquet") for path in self._declared.outs):
            gate.start()

    @property
    def label(self) -> str:
        """The stage's name with its keys, as a path: `collect/ALERT`."""
        return "/".join((self.name, *self.keys))

    def input(self, path: str | Path) -> Path:
        """Return a declared dependency (or output) as a path; raises UndeclaredPath for any other."""
        if not graph.covers(self._declared.deps + self._declared.outs, Path(path)):
            raise UndeclaredPath(f"{self.label} reads {path}, which dvc.yaml does not name among its deps.")
        return self.root / path

    def output(self, path: str | Path) -> Path:
        """Return a declared output as a path; raises UndeclaredPath for any other."""
        if not graph.covers(self._declared.outs, Path(path)):
            raise UndeclaredPath(f"{self.label} writes {path}, which dvc.yaml does not name among its outs.")
        return self.root / path

    def read(self, artifact: str, **keys: str) -> pd.DataFrame:
        """Read a table by the artifact's name."""
        return artifacts.read(self.input(ARTIFACTS[artifact].at(**keys)))

    def write(self, artifact: str, frame: pd.DataFrame, verdicts: Sequence[str] = (), **keys: str) -> None:
        """Check `frame` against the artifact's schema and suite, then put the file in place, whole.

        verdicts: the words that its column `verdict` may hold, if it has one.
        Raises UserError, and writes nothing, if a column is wrong or an expectation fails.
        """
        description = ARTIFACTS[artifact]
        path = self.output(description.at(**keys))
        table = artifacts.to_table(description, frame)
        with files.atomic(path) as temporary:
            artifacts.write_table(table, temporary)
            # Each expectation is about rows, so none fails on an empty table; a third of all tables are, 0.15 s each.
            if len(table) or artifact not in MAY_BE_EMPTY:
                docs = home() / "data_docs"
                gate.check(artifact, temporary, description.at(**keys), docs, self._categories, verdicts)

    def account(self, rows_in: int, rows_out: int, left: pd.DataFrame) -> None:
        """Write the lineage of the rows that left and the counts data/rows/STAGE.json; no row may vanish.

        `left` has a line for each row that left: id, source, outcome, reason; where known because_of, value, detail.
        """
        if rows_in != rows_out + len(left):
            raise AssertionError(f"{self.label}: {rows_in} rows came, {rows_out} stay, {len(left)} left: some vanished")
        optional = {name: left.get(name) for name, column in ARTIFACTS["lineage"].columns.items() if column.optional}
        self.write("lineage", left.assign(stage=self.name, **optional), stage=self.label)
        reasons = {str(reason): int(count) for reason, count in left["reason"].value_counts().sort_index().items()}
        counts = {"in": rows_in, "out": rows_out, "dropped": reasons}
        files.write_json(self.output(f"data/rows/{self.label}.json"), counts)
        print(
            f"{self.label}: {rows_in:,} rows in, {rows_out:,} out" + "".join(f"; {n:,} {r}" for r, n in reasons.items())
        )


def left_rows(rows: pd.DataFrame, outcome: str, reason: str) -> pd.DataFrame:
    """Return lineage rows for `rows` (id, source) that all left for one reason; outcome is "dropped" or "failed"."""
    return rows[["id", "source"]].assign(outcome=outcome, reason=reason)


def is_main_process() -> bool:
    """Say whether this is the only process of the stage, or the first of several ranks."""
    return os.environ.get("RANK", "0") == "0"


def dvc_name(name: str, *keys: str) -> str:
    """Return a stage's name as DVC has it: `collect@ALERT`."""
    return f"{name}@{'-'.join(keys)}" if keys else name


def main(body: Callable[..., None]) -> None:
    """Run a stage from the command line; a UserError prints its message without a traceback."""
    name, keys = body.__name__, tuple(sys.argv[1:])
    label = dvc_name(name, *keys)
    try:
        body(Stage(name, keys, Path()), *keys)
    except (UserError, OSError) as problem:
        error = of_the_disk(problem) if isinstance(problem, OSError) else problem
        if error is None:
            raise
        for line in str(error).splitlines() if is_main_process() else ():
            print(f"{label}: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"{label}: interrupted; what it had remembered is kept, nothing half-written is left.", file=sys.stderr)
        raise SystemExit(130) from None

"""The one map of data/: every artifact's path, columns, types and meaning, and how it is read and written.

Stages name artifacts, never paths. A path may hold fields in braces, such as {source}, that the stage's keys fill.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from star1.criteria import BENIGN_CRITERIA, SAFETY_CRITERIA
from star1.errors import UserError
from star1.files import atomic

MAX_CHARS = 200_000  # of any text; DeepSeek-R1's 8,000 tokens are about 40,000


@dataclass(frozen=True)
class Column:
    """A column's Arrow type and what it means; `optional` columns may hold nulls."""

    type: pa.DataType
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class Artifact:
    """A table of the pipeline: where it lies and what its columns are, in order."""

    name: str
    path: str
    columns: dict[str, Column]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema that every file of this artifact has."""
        return pa.schema([pa.field(n, c.type, nullable=c.optional) for n, c in self.columns.items()])

    def at(self, **keys: str) -> Path:
        """Return the path, relative to the repository, with the keys filled in."""
        return Path(self.path.format(**keys))


def _score(criteria: tuple[str, ...]) -> pa.DataType:
    return pa.struct([pa.field(name, pa.int64(), nullable=False) for name in criteria])


TEXT = pa.string()
QUESTION = {"question": Column(TEXT, "what a user asks"), "source": Column(TEXT, "the source it was collected from")}
ROW = {"id": Column(TEXT, "16 hex digits of the hash of the normalised question"), **QUESTION}
CATEGORY = {"category": Column(pa.list_(TEXT), "the safety categories it belongs to")}
RESPONSE = {
    "response": Column(TEXT, "<think>, the thought, </think>, an empty line, the answer"),
    "thinking": Column(TEXT, "the thought alone"),
    "answer": Column(TEXT, "the answer alone"),
}
SCORE = {"score": Column(_score(SAFETY_CRITERIA), "0 to 10 on each criterion")}
BENIGN_SCORE = {"score": Column(_score(BENIGN_CRITERIA), "1 to 5 on each criterion")}
PARENT = {"parent": Column(TEXT, "id of the harmful question it was rewritten from")}
PROMPT = {
    "suite": Column(TEXT, "safety, over_refusal or reasoning"),
    "task": Column(TEXT, "how it is asked and judged: a file of evaluation/tasks"),
    "benchmark": Column(TEXT, "the benchmark it belongs to"),
    "prompt_id": Column(TEXT, "its name in the benchmark"),
    "prompt": Column(TEXT, "what the model is asked"),
    "answer_key": Column(TEXT, "the right answer of a reasoning task", optional=True),
    "label": Column(TEXT, "its kind within the benchmark, such as lookalike or plain", optional=True),
    "category": Column(TEXT, "its safety category, where the benchmark gives one", optional=True),
}
REPLY = {
    "sample": Column(pa.int64(), "number of the sample, from 0"),
    "response": Column(TEXT, "the raw text that the model wrote; empty where no reply came"),
    "thinking": Column(TEXT, "its thought, if it opened one", optional=True),
    "answer": Column(TEXT, "its answer; null if the thought never ended", optional=True),
    "finish_reason": Column(TEXT, "stop; length where the token limit cut it off; error where no reply came"),
}
LABELLED = {
    "response": Column(TEXT, "a reply that people labelled, thought included"),
    "label": Column(TEXT, "what they said of it, as the judge's word"),
}

_TABLES = (
    Artifact(
        "raw", "data/raw/{source}.parquet", {**QUESTION, "source_id": Column(TEXT, "the row's name in its source")}
    ),
    Artifact(
        "benchmark",
        "data/benchmarks/{suite}/{benchmark}.parquet",
        {
            "prompt_id": PROMPT["prompt_id"],
            "prompt": PROMPT["prompt"],
            "answer": PROMPT["answer_key"],
            "label": PROMPT["label"],
            "category": PROMPT["category"],
        },
    ),
    Artifact(
        "published",
        "data/published/{name}.parquet",
        {
            **ROW,
            "published_id": Column(TEXT, "its id where it was published"),
            **CATEGORY,
            **RESPONSE,
            "score": replace(SCORE["score"], optional=True),
        },
    ),
    Artifact(
        "dataset",
        "data/datasets/{name}.parquet",
        {
            "id": Column(TEXT, "16 hex digits of the hash of the normalised question, which may stand twice"),
            "question": QUESTION["question"],
            "response": Column(TEXT, "what a model shall answer, with or without a thought"),
        },
    ),
    Artifact("collection", "data/collection.parquet", ROW),
    Artifact("categorized", "data/categorized.parquet", {**ROW, **CATEGORY}),
    Artifact("cot", "data/cot.parquet", {**ROW, **CATEGORY, **RESPONSE}),
    Artifact("scored", "data/scored.parquet", {**ROW, **CATEGORY, **RESPONSE, **SCORE}),
    Artifact("full_score", "data/full_score.parquet", {**ROW, **CATEGORY, **RESPONSE, **SCORE}),
    Artifact("star1", "data/star1.parquet", {**ROW, **CATEGORY, **RESPONSE, **SCORE}),
    Artifact("benign_questions", "data/benign/questions.parquet", {**ROW, **PARENT}),
    Artifact("benign_cot", "data/benign/cot.parquet", {**ROW, **PARENT, **RESPONSE}),
    Artifact("benign_scored", "data/benign/scored.parquet", {**ROW, **PARENT, **RESPONSE, **BENIGN_SCORE}),
    Artifact("star_benign", "data/benign/star_benign.parquet", {**ROW, **PARENT, **RESPONSE, **BENIGN_SCORE}),
    Artifact("star1_2k", "data/star1_2k.parquet", {**ROW, "response": RESPONSE["response"]}),
    Artifact(
        "lineage",
        "data/lineage/{stage}.parquet",
        {
            "id": Column(TEXT, "the row that left"),
            "source": Column(TEXT, "its source"),
            "stage": Column(TEXT, "the stage at which it left"),
            "outcome": Column(TEXT, "dropped by a rule, or failed"),
            "reason": Column(TEXT, "the rule"),
            "because_of": Column(TEXT, "the row or benchmark prompt that it matched", optional=True),
            "value": Column(pa.float64(), "the cosine, score or probability that decided", optional=True),
            "detail": Column(TEXT, "what more there is to say, such as the shared n-gram", optional=True),
        },
    ),
    Artifact(
        "failures",
        "data/failures/{stage}.parquet",
        {
            "id": Column(TEXT, "the row without a usable reply"),
            "stage": Column(TEXT, "the stage that asked"),
            "reason": Column(TEXT, "what was wrong with the last reply"),
            "attempts": Column(pa.int64(), "how often it was asked"),
            "last_reply": Column(TEXT, "the last reply, raw", optional=True),
        },
    ),
    Artifact(
        "labelled",
        "data/labelled/{judge}.parquet",
        {"prompt_id": PROMPT["prompt_id"], "prompt": PROMPT["prompt"], **LABELLED},
    ),
    Artifact(
        "agreement",
        "data/agreement/{judge}.parquet",
        {
            "prompt_id": PROMPT["prompt_id"],
            "prompt": PROMPT["prompt"],
            **LABELLED,
            "verdict": Column(TEXT, "what the judge says of it; unjudged where it said nothing usable"),
        },
    ),
    Artifact("generations", "data/generations/{model}.parquet", {**PROMPT, **REPLY}),
    Artifact(
        "judgements",
        "data/judgements/{model}.parquet",
        {
            **PROMPT,
            **REPLY,
            "verdict": Column(TEXT, "the task's word; truncated and unjudged are words of their own"),
            "success": Column(pa.bool_(), "whether that verdict counts"),
            "paper_verdict": Column(TEXT, "the word by the paper's rule: the whole output, cut or not", optional=True),
            "paper_success": Column(pa.bool_(), "whether the paper's verdict counts", optional=True),
            "thinking_verdict": Column(TEXT, "the judge on the thought alone", optional=True),
            "thinking_success": Column(pa.bool_(), "whether that verdict counts", optional=True),
            "answer_verdict": Column(TEXT, "the judge on the answer alone", optional=True),
            "answer_success": Column(pa.bool_(), "whether that verdict counts", optional=True),
            "second_verdict": Column(TEXT, "the second judge's word on the whole output", optional=True),
            "second_success": Column(pa.bool_(), "whether that verdict counts", optional=True),
            "second_thinking_verdict": Column(TEXT, "the second judge on the thought alone", optional=True),
            "second_thinking_success": Column(pa.bool_(), "whether that verdict counts", optional=True),
            "second_answer_verdict": Column(TEXT, "the second judge on the answer alone", optional=True),
            "second_answer_success": Column(pa.bool_(), "whether that verdict counts", optional=True),
            "hazards": Column(pa.list_(TEXT), "a guard model's codes for what is unsafe, S1 to S14", optional=True),
            "extracted": Column(TEXT, "what the grader took for the answer", optional=True),
            "detail": Column(TEXT, "where the answer was found, or why a program failed", optional=True),
        },
    ),
)
ARTIFACTS = {artifact.name: artifact for artifact in _TABLES}
# Where all rows are published ones, nothing is collected, so nothing is asked; and benign.rewrite may be false.
MAY_BE_EMPTY = {"lineage", "failures", "collection", "categorized", "cot", "scored",
                "benign_questions", "benign_cot", "benign_scored", "star_benign"}  # fmt: skip


@contextmanager
def _a_whole_table(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. `dvc repro` builds it, `dvc pull` fetches it.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path}: not a whole parquet file ({str(error).partition(chr(10))[0]}). "
            f"`dvc checkout --force {path}` restores it, `dvc repro` builds it anew."
        ) from None


def read_arrow(path: Path, columns: list[str] | None = None, row_id: str | None = None) -> pa.Table:
    """Read a table as Arrow, only the rows with that id if one is given.

    Raises UserError if the file is missing or not a whole parquet file.
    """
    with _a_whole_table(path):
        return pq.read_table(path, columns=columns, filters=None if row_id is None else [("id", "=", row_id)])


def shape(path: Path) -> tuple[list[str], int]:
    """Return a table's names of columns and its number of rows, without reading them; errors as of read_arrow."""
    with _a_whole_table(path), pq.ParquetFile(path) as file:
        return list(file.schema_arrow.names), int(file.metadata.num_rows)


def read(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table; lists come back as lists, structs as dicts, and "NA" stays a text.

    Raises UserError if the file is missing or not a whole parquet file.
    """
    table = read_arrow(path, columns)
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    series = {
        field.name: pd.Series(
            table.column(field.name).to_pylist(),
            # Texts as objects: pandas' own string type would turn None into NaN.
            dtype=None if any(kind(field.type) for kind in plain) else object,
        )
        for field in table.schema
    }
    return pd.DataFrame(series)


def together(artifact: str, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return tables of an artifact as one; without any, an empty one with its columns."""
    empty = pd.DataFrame(columns=list(ARTIFACTS[artifact].columns), dtype=object)
    return pd.concat([empty, *frames], ignore_index=True)


def to_table(artifact: Artifact, frame: pd.DataFrame) -> pa.Table:
    """Return `frame` as an Arrow table of exactly the artifact's columns and types, in the artifact's order.

    Raises UserError naming the artifact and the column where one is missing, of another type, or null.
    """
    missing = [name for name in artifact.columns if name not in frame.columns]
    if missing:
        raise UserError(f"artifact {artifact.name}: no column {', '.join(missing)}; it has {', '.join(frame.columns)}.")
    arrays = []
    for name, column in artifact.columns.items():
        values = [None if _is_missing(value) else value for value in frame[name].tolist()]
        try:
            array = pa.array(values, type=column.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise UserError(f"artifact {artifact.name}, column {name}: not of type {column.type}: {error}") from None
        except UnicodeEncodeError as error:
            raise UserError(
                f"artifact {artifact.name}, column {name}: {str(error.object)[:60]!a} is undecodable; save the "
                "file that it comes from as UTF-8."
            ) from None
        if array.null_count and not column.optional:
            raise UserError(f"artifact {artifact.name}, column {name}: {array.null_count} of {len(array)} are missing.")
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=artifact.schema)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table to `path`, whole or not at all."""
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")

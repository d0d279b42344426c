"""What params.yaml says of sources, benchmarks, published rows and data sets: which reader, which file, which column.

An entry is data, never code. Each mistake in one gives one line that says what is allowed.
"""

import posixpath
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from star1.pipeline.fields import Positive, Seed

Reader = Literal["csv", "json", "jsonl", "parquet", "text", "hub", "miniature"]


# Stages write there, and `star1 check` removes what no stage wrote.
FOLDERS = "raw benchmarks published datasets lineage rows failures generations judgements"
WRITTEN = tuple(f"data/{folder}/" for folder in FOLDERS.split())

MIRROR = "data/mirror"  # on this machine alone: git and DVC ignore it


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _scalars(value: Any) -> Any:
    for each in (listed := _listed(value)):
        if not isinstance(each, bool | int | float | str):
            shown = "null" if each is None else each
            raise ValueError(f"must be texts, numbers, true or false, and {shown} is none of these; quote a date")
    return listed


# One value or a list of them, as YAML writes it; a tuple here.
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Scalars = Annotated[tuple[bool | int | float | str, ...], BeforeValidator(_scalars), Field(min_length=1)]


class Frame(BaseModel):
    """Text that a source puts around each question; taken off where it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = ""
    suffix: str = ""


class Entry(BaseModel):
    """What all entries share. Keys that a reader does not use are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # what a reader needs, and what it may have, besides columns
    NEEDS: ClassVar[dict[str, set[str]]] = {"hub": {"dataset", "revision"}, "miniature": {"rows", "seed"}}
    TAKES: ClassVar[dict[str, set[str]]] = {
        "csv": {"url", "sha256", "delimiter", "header", "where"},
        "json": {"url", "sha256", "items", "where"},
        "jsonl": {"url", "sha256", "where"},
        "parquet": {"url", "sha256", "where"},
        "text": {"url", "sha256"},
        "hub": {"config", "splits", "items", "delimiter", "header", "where", "gated"},
        "miniature": set(),
    }
    COLUMNS: ClassVar[tuple[str, ...]]  # the keys that name columns, if any first that of the question or prompt
    ALWAYS: ClassVar[set[str]]  # keys that belong to no reader in particular

    reader: Reader
    path: str = Field(min_length=1)  # the file; for hub and url the folder searched first for a copy, MIRROR
    url: Texts | None = None  # public files, read in this order
    sha256: Texts | None = None  # of the file, or of each url's
    dataset: str | None = Field(None, pattern=r"^[\w.-]+(/[\w.-]+)?$")
    revision: str | None = None  # a commit; or main, of which `star1 check` says that it moves
    gated: bool = False  # whether the Hub gives the data set only to accounts that accepted its terms
    config: str | None = None
    splits: Texts | None = None  # read in this order; all of them if absent
    items: Texts | None = None  # keys that lead to the list of questions; "*" is every key
    delimiter: str = Field(",", min_length=1, max_length=1)
    header: bool = True  # without one, columns are called "0", "1" and so on
    # column: the values that a row may have in it; a.0.b is b of the first entry of the list in column a
    where: dict[str, Scalars] = Field(default_factory=dict)
    rows: Positive | None = None
    seed: Seed | None = None

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError("must be a path inside the repository, without '..'")
        if f"{posixpath.normpath(path)}/".startswith(WRITTEN):
            raise ValueError("must not lie in a folder that the pipeline writes and clears; keep it in data/mirror")
        return path

    @field_validator("url")
    @classmethod
    def _web(cls, urls: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if wrong := [url for url in urls or () if not re.match(r"https?://[^/]+/.", url)]:
            raise ValueError(f"must start with https:// or http:// and name a file, and {wrong[0]!r} does not")
        return urls

    @field_validator("sha256")
    @classmethod
    def _digest(cls, digests: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if wrong := [digest for digest in digests or () if not re.fullmatch("[0-9a-f]{64}", digest)]:
            raise ValueError(f"must be 64 hex digits in lower case, and {wrong[0]!r} is not")
        return digests

    @field_validator("delimiter")
    @classmethod
    def _between(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("a quote or a line's end cannot stand between two values")
        return delimiter

    @field_validator("revision")
    @classmethod
    def _pinned(cls, revision: str | None) -> str | None:
        if revision is not None and not re.fullmatch("[0-9a-f]{40}|main", revision):
            raise ValueError(f"must be a commit hash of 40 hex digits, because a branch or tag moves; got {revision!r}")
        return revision

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        columns = set() if self.reader in ("text", "miniature") else set(self.COLUMNS)
        # A list in a JSON document may hold plain texts, which have no column.
        needed = self.NEEDS.get(self.reader, set()) | (
            columns & set(self.COLUMNS[:1]) if self.reader != "json" else set()
        )
        takes = needed | columns | self.TAKES[self.reader] | self.ALWAYS
        if missing := sorted(key for key in needed if getattr(self, key) is None):
            raise ValueError(f"reader {self.reader} needs {', '.join(missing)}")
        if needless := sorted(self.model_fields_set - takes - {"reader", "path"}):
            raise ValueError(
                f"reader {self.reader} has no use for {', '.join(needless)}; it takes path, {', '.join(sorted(takes))}"
            )
        if self.reader != "hub" and not self.url and Path(MIRROR) in Path(self.path).parents:
            raise ValueError(
                f"path: neither git nor DVC keeps {self.path}; move the file to data/own, then git add or dvc add it"
            )
        if self.sha256 and len(self.sha256) != len(self.url or (self.path,)):
            raise ValueError(f"sha256: {len(self.sha256)} given for {len(self.url or (self.path,))} files; one each")
        return self


class SourceEntry(Entry):
    """A source of questions. `ngram` is the n of its self n-gram step (words)."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("column",)
    ALWAYS: ClassVar[set[str]] = {"ngram", "frame"}

    column: str | None = None
    frame: Frame | None = None
    ngram: Positive


class Highest(BaseModel):
    """The best rows of each category: a row's category is the one with the highest of its scores.

    scores: the column that maps categories to numbers; of: the categories, in order (it breaks ties); rows: how many of
    each are kept, highest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: str
    of: Texts
    rows: Positive


class BenchmarkEntry(Entry):
    """A benchmark; `suite` says how it is judged, and `decontamination` that it only guards the training data.

    `choices` are columns whose texts, or lists of texts, are lettered A, B, C ... below the prompt. If `answer` is one
    of these columns, each row's choices are shuffled (by a hash of its id) and the answer becomes the letter.
    `task` names a file of evaluation/tasks, `max_tokens` is the limit of a reply; both for what is evaluated.
    `shuffle_seed` orders the rows as `datasets.Dataset.shuffle(seed)` does; `limit` then keeps the first ones.
    `highest` keeps the best rows of each category, and gives the category. `max_chars` is the longest prompt that may
    stand in it; collect.max_chars where it is absent.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("prompt", "prompt_id", "answer", "label", "category", "choices", "highest")
    ALWAYS: ClassVar[set[str]] = {"suite", "task", "max_tokens", "shuffle_seed", "limit", "max_chars"}

    suite: Literal["safety", "over_refusal", "reasoning", "decontamination"]
    task: str | None = Field(None, pattern="^[a-z][a-z0-9_]*$")
    max_tokens: Positive | None = None
    prompt: str | None = None
    prompt_id: str | None = None
    answer: str | Texts | None = None  # several columns become a JSON object
    label: str | None = None
    category: str | None = None
    choices: Texts | None = None
    highest: Highest | None = None
    shuffle_seed: int | None = Field(None, ge=0, lt=2**32)
    limit: int | None = Field(None, ge=1)
    max_chars: int | None = Field(None, ge=1)

    @field_validator("answer", mode="before")
    @classmethod
    def _columns(cls, answer: Any) -> Any:
        listed = _listed(answer)
        if answer is not None and not (listed and all(isinstance(column, str) for column in listed)):
            raise ValueError("must name a column, or a list of them")
        return answer

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        if self.choices and not self.answer:
            raise ValueError("choices need answer: the column of the right letter, or the one of choices that is right")
        if self.suite == "reasoning" and self.reader != "miniature" and not self.answer:
            raise ValueError("suite reasoning needs answer: the column of the right answer")
        if self.highest and self.category:
            raise ValueError("category: it comes from highest; drop one of the two")
        return self


class PublishedEntry(Entry):
    """Rows in the published form of STAR-1: id, question, response, category, source, score."""

    COLUMNS: ClassVar[tuple[str, ...]] = ()
    ALWAYS: ClassVar[set[str]] = set()

    reader: Literal["json", "jsonl", "parquet", "hub"]


class DatasetEntry(Entry):
    """A training set of any form: which column holds the question, and which the response, thought included."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("question", "response")
    ALWAYS: ClassVar[set[str]] = set()

    reader: Literal["csv", "json", "jsonl", "parquet", "hub"]
    question: str
    response: str


class LabelledEntry(Entry):
    """Replies that people have labelled, on which a judge is tried: `task` names it, a file of evaluation/tasks.

    `response` is the column of the whole output, thought included. `labels` gives the judge's word for each word of the
    column `label`; without it the two are the same words. `shuffle_seed` and `limit` are those of a benchmark.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("prompt", "prompt_id", "response", "label")
    ALWAYS: ClassVar[set[str]] = {"task", "labels", "shuffle_seed", "limit"}

    reader: Literal["csv", "json", "jsonl", "hub"]
    task: str = Field(pattern="^[a-z][a-z0-9_]*$")
    prompt: str
    response: str
    label: str
    prompt_id: str | None = None
    labels: dict[str, str] | None = None
    shuffle_seed: int | None = Field(None, ge=0, lt=2**32)
    limit: int | None = Field(None, ge=1)

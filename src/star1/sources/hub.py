"""Reader hub: a data set of the Hugging Face Hub at a pinned commit, or a copy of it under the entry's path.

`datasets` resolves config and splits to files, from the data set's own README or its file names. The files are then
read by our own parsers: `datasets` would guess types, and it caches tables under keys that can go stale.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from star1.errors import UserError
from star1.sources import csv, json, jsonl, parquet
from star1.sources.entries import Entry
from star1.sources.files import copied, mirror, opened

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


def records(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield ("split:number", record) for each row of the entry's splits; numbers run on through a split's files.

    A copy lies in `path`/OWNER__NAME as `hf download --local-dir` lays it. Raises UserError if the data set is gated,
    unreachable, or lacks the config or a split, or if a copy was made from another commit.
    """
    assert entry.dataset is not None  # the entry's own check
    copy = mirror(entry, root) / entry.dataset.replace("/", "__") if copied(entry, root) else None
    for split, files in _files(entry, key, copy).items():
        number = 0
        for file in files:
            for _, record in _parse(file, entry, key):
                yield f"{split}:{number}", record
                number += 1


def _files(entry: Entry, key: str, copy: Path | None) -> dict[str, list[Path]]:
    """Return the local files of each split that the entry asks for, in its order."""
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; we say in one line what failed
    with _told_in_a_line(entry, key, copy):
        found = _data_files(entry, key, copy)
        splits = entry.splits or tuple(found)
        if unknown := [split for split in splits if split not in found]:
            raise UserError(f"{key}.splits: {entry.dataset} has no {', '.join(unknown)}; it has {', '.join(found)}.")
        return {
            split: [
                _of_this_commit(Path(path), copy, entry, key) if copy else _download(path, entry)
                for path in found[split]
            ]
            for split in splits
        }


def _data_files(entry: Entry, key: str, copy: Path | None) -> dict[str, list[str]]:
    """Return the paths or hf:// addresses of each split's files."""
    import datasets

    try:
        builder = datasets.load_dataset_builder(
            str(copy or entry.dataset), entry.config, revision=None if copy else entry.revision
        )
    except (OSError, ValueError):
        raise
    except Exception as error:  # of any kind: a header that is no YAML or says what it must not, a zip that is none
        raise UserError(_broken(entry, key, copy, error)) from None
    return {str(split): list(paths) for split, paths in (builder.config.data_files or {}).items()}


@contextmanager
def _told_in_a_line(entry: Entry, key: str, copy: Path | None) -> Iterator[None]:
    """Raise UserError for what `datasets` and the Hub raise."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/datasets/{entry.dataset}"
    try:
        yield
    except (DatasetNotFoundError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        if isinstance(error, GatedRepoError) or (isinstance(error, DatasetNotFoundError) and "gated" in str(error)):
            raise UserError(
                f"{key}.dataset: {entry.dataset} is gated. Accept its terms at {page}, then set HF_TOKEN to your token."
            ) from None
        raise UserError(f"{key}.dataset: there is no {page} at revision {entry.revision}, or it is private.") from None
    except ValueError as error:
        if "BuilderConfig" in str(error):  # "BuilderConfig 'x' not found. Available: [...]"
            raise UserError(f"{key}.config: {entry.dataset}: {error}") from None
        raise UserError(_broken(entry, key, copy, error)) from None
    except OSError as error:  # ConnectionError and the HTTP errors of huggingface_hub are OSErrors
        if copy:
            raise UserError(_broken(entry, key, copy, error)) from None
        why, place = str(error).partition("\n")[0].rstrip("."), str(entry.dataset).replace("/", "__")
        raise UserError(
            f"{key}.dataset: cannot load {entry.dataset}: {why}. Try again, or put a copy in {entry.path}/{place}."
        ) from None


def _broken(entry: Entry, key: str, copy: Path | None, error: Exception) -> str:
    """Say that the data set's files cannot be made out: its README.md, or what this names."""
    what = " ".join(str(error).split())
    for addition in (" Examples of data_files", " with any supported extension"):  # half a page, and a page
        what = what.partition(addition)[0]
    where = f"the copy {copy} of {entry.dataset}" if copy else f"{entry.dataset} at {entry.revision}"
    do = "Fetch it again, or mend it" if copy else f"Ask its authors, or mend a copy in {entry.path}"
    return f"{key}.dataset: {where} is broken, its README.md or another file: {what.rstrip('.')}. {do}."


def _download(url: str, entry: Entry) -> Path:
    """Fetch one file, named as in hf://datasets/OWNER/NAME@COMMIT/file, into the Hub's own cache."""
    from huggingface_hub import hf_hub_download

    file = url.partition("@")[2].partition("/")[2]
    return Path(hf_hub_download(str(entry.dataset), file, repo_type="dataset", revision=entry.revision))


def _of_this_commit(path: Path, copy: Path, entry: Entry, key: str) -> Path:
    """Check the note that `hf download` leaves beside a copy, where there is one: its first line is the commit."""
    # By its name in the copy: as in the Hub's cache, the file may be a link to elsewhere.
    name = path.absolute().relative_to(copy.absolute()).as_posix()
    note = copy / ".cache/huggingface/download" / f"{name}.metadata"
    if entry.revision == "main" or not note.is_file():
        return path
    if (commit := note.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()) != entry.revision:
        raise UserError(
            f"{key}.revision: {path} is of commit {commit}, not {entry.revision}. Fetch the pinned commit again."
        )
    return path


def _parse(path: Path, entry: Entry, key: str) -> Iterator[tuple[str, object]]:
    plain = path.with_suffix("") if path.suffix in (".gz", ".xz") else path
    match plain.suffix:
        case ".csv" | ".tsv":
            return csv.parse(path, "", entry, key)
        case ".jsonl":
            return jsonl.parse(path, "", entry, key)
        case ".json":  # on the Hub, often JSON Lines under this name
            whole = entry.items or _starts_with_list(path, key)
            return (json if whole else jsonl).parse(path, "", entry, key)
        case ".parquet":
            return parquet.parse(path, "", entry, key)
    raise UserError(f"{key}.dataset: cannot read {path.name}; readable are {', '.join(SUFFIXES)}, and .gz or .xz.")


def _starts_with_list(path: Path, key: str) -> bool:
    with opened(path, f"{key}.path") as file:
        return file.read(1000).lstrip().startswith("[")

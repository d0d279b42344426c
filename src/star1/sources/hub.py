"""Reader hub: a data set of the Hugging Face Hub at a pinned commit, or a copy of it under the entry's path.

`datasets` resolves config and splits to files, from the data set's own README or its file names. The files are then
read by our own parsers: `datasets` would guess types, and it caches tables under keys that can go stale.
"""

import logging
from collections.abc import Iterator
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
    import datasets
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; we say in one line what failed
    name = entry.dataset
    page = f"https://huggingface.co/datasets/{name}"
    try:
        builder = datasets.load_dataset_builder(
            str(copy or name), entry.config, revision=None if copy else entry.revision
        )
        found = {str(split): list(paths) for split, paths in (builder.config.data_files or {}).items()}
        splits = entry.splits or tuple(found)
        if unknown := [split for split in splits if split not in found]:
            raise UserError(f"{key}.splits: {name} has no {', '.join(unknown)}; it has {', '.join(found)}.")
        return {
            split: [
                _of_this_commit(Path(path), copy, entry, key) if copy else _download(path, entry)
                for path in found[split]
            ]
            for split in splits
        }
    except (DatasetNotFoundError, GatedRepoError) as error:
        if isinstance(error, GatedRepoError) or "gated" in str(error):
            raise UserError(
                f"{key}.dataset: {name} is gated. Accept its terms at {page}, then set HF_TOKEN to your token."
            ) from None
        raise UserError(f"{key}.dataset: there is no {page} at revision {entry.revision}, or it is private.") from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise UserError(f"{key}.dataset: there is no {page} at revision {entry.revision}, or it is private.") from None
    except ValueError as error:  # `datasets` says "BuilderConfig 'x' not found. Available: [...]"
        raise UserError(f"{key}.config: {name}: {error}") from None
    except OSError as error:  # ConnectionError and the HTTP errors of huggingface_hub are OSErrors
        raise UserError(
            f"{key}.dataset: cannot load {name}: {str(error).splitlines()[0]} Try again, or put a copy in "
            f"{entry.path}/{str(name).replace('/', '__')}."
        ) from None


def _download(url: str, entry: Entry) -> Path:
    """Fetch one file, named as in hf://datasets/OWNER/NAME@COMMIT/file, into the Hub's own cache."""
    from huggingface_hub import hf_hub_download

    file = url.partition("@")[2].partition("/")[2]
    return Path(hf_hub_download(str(entry.dataset), file, repo_type="dataset", revision=entry.revision))


def _of_this_commit(path: Path, copy: Path, entry: Entry, key: str) -> Path:
    """Check the note that `hf download` leaves beside a copy, where there is one: its first line is the commit."""
    note = copy / ".cache/huggingface/download" / f"{path.resolve().relative_to(copy.resolve()).as_posix()}.metadata"
    if entry.revision == "main" or not note.is_file():
        return path
    if (commit := note.read_text(encoding="utf-8").partition("\n")[0].strip()) != entry.revision:
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

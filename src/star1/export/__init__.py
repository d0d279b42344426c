"""`star1 export NAME`: a data set or a model as a folder with a card, ready for `hf upload` and `load_dataset`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from star1.artifacts import ARTIFACTS, read, read_arrow, write_table
from star1.errors import UserError
from star1.export.cards import TITLES, data_card, origin
from star1.export.provenance import Provenance, current_md5, provenance
from star1.files import write_text
from star1.params import load
from star1.published import FIELDS, as_json


def export(root: Path, name: str, folder: Path) -> str:
    """Write a data set, or a run's model, to `folder`, and return a line that says what is there.

    Args:
        root: the repository.
        name: a data set (one of `cards.TITLES`), or models/RUN.
        folder: must be empty, or not be there. It appears when it is whole.

    Raises:
        UserError: no such data set or run; not built, or not as dvc.lock has it; `folder` has files.
    """
    models = [f"models/{run}" for run in load(root / "params.yaml").runs]
    if name not in TITLES and name not in models:
        raise UserError(f"export: no {name!r}; data sets are {', '.join(TITLES)}, models are {', '.join(models)}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"export: {folder} is there and not empty; name another folder with --to, or remove it.")
    path = name if name in models else str(ARTIFACTS[name].at())
    if not (root / path).exists():
        raise UserError(f"{path}: not here; `dvc pull {path}` fetches it, `dvc repro` builds it.")
    source = provenance(root, path)
    if current_md5(root / path) != source.hashes[path]:
        raise UserError(f"{path}: not as dvc.lock has it; `dvc checkout {path}` restores it, `dvc repro` rebuilds it.")
    with _whole(folder) as unfinished:
        return (_model if name in models else _data_set)(root, name, source, unfinished)


def _data_set(root: Path, name: str, source: Provenance, folder: Path) -> str:
    path = root / ARTIFACTS[name].at()
    rows, table = read(path), read_arrow(path)
    fields = [field for field in FIELDS if field in table.column_names]
    write_table(table.select(fields), folder / f"{name}.parquet")
    write_text(folder / f"{name}.json", as_json(rows))
    write_text(folder / "README.md", data_card(name, rows, source))
    return f"{len(rows):,} rows with {', '.join(fields)}"


def _model(root: Path, name: str, source: Provenance, folder: Path) -> str:
    shutil.copytree(root / name, folder, dirs_exist_ok=True)
    card = (folder / "README.md").read_text(encoding="utf-8").rstrip()
    write_text(folder / "README.md", f"{card}\n\n{origin(source)}")
    return f"{sum(1 for file in folder.rglob('*') if file.is_file())} files"


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder`, and put it in its place when the block ends well."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        if folder.exists():
            folder.rmdir()
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)

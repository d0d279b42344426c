"""`star1 export NAME`: a data set or a model as a folder with a card, ready for `hf upload` and `load_dataset`."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from star1.artifacts import ARTIFACTS, read, read_arrow, write_table
from star1.errors import UserError
from star1.export.cards import TITLES, data_card, origin
from star1.export.provenance import Provenance, current_md5, locked_paths, provenance
from star1.files import TEMPORARY, write_text
from star1.params import load
from star1.published import FIELDS, as_json


def export(root: Path, name: str, folder: Path) -> str:
    """Write a data set, or a run's model, to `folder`, and return a line that says what is there.

    Args:
        root: the repository.
        name: a data set (one of `cards.TITLES`), or models/RUN.
        folder: must be empty, or not be there; then it appears when it is whole.

    Raises:
        UserError: no such data set or run; not built, or not as dvc.lock has it; `folder` has files, or lies in a
            folder that a stage reads or writes as a whole.
    """
    models = [f"models/{run}" for run in load(root / "params.yaml").runs]
    if name not in TITLES and name not in models:
        raise UserError(f"export: no {name!r}; data sets are {', '.join(TITLES)}, models are {', '.join(models)}.")
    place = folder.resolve()  # "." has no name, and a link leads to the folder
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserError(f"export: {folder} is there and not empty; name another folder with --to, or remove it.")
    if known := next((known for known in locked_paths(root) if place.is_relative_to((root / known).resolve())), None):
        problem = f"export: {folder} lies in {known}, which dvc.lock names"  # `dvc repro` may empty it or see a change
        raise UserError(f"{problem}; name another folder with --to.")
    path = name if name in models else str(ARTIFACTS[name].at())
    if not (root / path).exists():
        raise UserError(f"{path}: not here; `dvc pull {path}` fetches it, `dvc repro` builds it.")
    source = provenance(root, path)
    if current_md5(root / path) != source.hashes[path]:
        raise UserError(f"{path}: not as dvc.lock has it; `dvc checkout {path}` restores it, `dvc repro` rebuilds it.")
    with _whole(place) as unfinished:
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
    """Yield a folder to write to, and put what is in it in its place when the block ends well.

    A folder that is there is filled and not replaced: a shell may stand in it, or a disk be mounted on it.
    """
    there = folder.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    parent = folder if there else folder.parent
    unfinished = Path(tempfile.mkdtemp(dir=parent, prefix=f".{folder.name}.", suffix=TEMPORARY))
    try:
        unfinished.chmod(0o755)
        yield unfinished
        if not there:
            unfinished.rename(folder)  # fails where a folder with files is there by now
            return
        if any(entry != unfinished for entry in folder.iterdir()):
            raise UserError(f"export: {folder} is not empty any more; name another folder with --to.")
        for entry in list(unfinished.iterdir()):
            entry.rename(folder / entry.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)

"""Two parquet files of one artifact, compared row by row and column by column in Arrow, a column at a time."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEYS = {
    "raw": ("source_id", "question"),
    "benchmark": ("prompt_id",),
    "lineage": ("id", "source"),
    "generations": ("benchmark", "prompt_id", "sample"),
    "judgements": ("benchmark", "prompt_id", "sample"),
}
"""The columns that name a row, by artifact; `id` in all others."""


@dataclass
class TableDiff:
    """What moved between two tables.

    rows: how many rows each has. added, removed, changed: the key columns of those rows, in the order of the table that
    has them (changed: the second). columns: column -> rows in which it differs, most first. schema: a sentence each.
    """

    rows: tuple[int | None, int | None]
    added: pa.Table
    removed: pa.Table
    changed: pa.Table
    columns: dict[str, int] = field(default_factory=dict)
    schema: list[str] = field(default_factory=list)


def compare(old: pq.ParquetFile, new: pq.ParquetFile, keys: tuple[str, ...]) -> TableDiff:
    """Compare two files whose rows are named by `keys`; of several rows with one name the first meets the first.

    Columns that only one file has, or that changed their type, are named in `schema` and not compared. If that is the
    case for a key, no row can be matched: then nothing is added, removed or changed.
    """
    before, after = old.schema_arrow, new.schema_arrow
    schema = [f"{name} is new" for name in after.names if name not in before.names]
    schema += [f"{name} is gone" for name in before.names if name not in after.names]
    common = [name for name in after.names if name in before.names]
    retyped = [name for name in common if before.field(name).type != after.field(name).type]
    schema += [f"{name} was {before.field(name).type}, is {after.field(name).type}" for name in retyped]
    rows = old.metadata.num_rows, new.metadata.num_rows
    comparable = [name for name in common if name not in retyped]
    if unmatched := [name for name in keys if name not in comparable]:
        nothing = pa.table({})
        schema.append(f"rows cannot be matched without {', '.join(unmatched)}")
        return TableDiff(rows, nothing, nothing, nothing, schema=schema)

    first, second = old.read(columns=list(keys)), new.read(columns=list(keys))
    in_old, in_new = match(first, second, keys)
    unlike = np.zeros(len(in_old), dtype=bool)
    columns = {}
    for name in comparable:
        if name not in keys:
            differs = unequal(taken(old, name, in_old), taken(new, name, in_new))
            unlike |= differs
            columns[name] = int(differs.sum())
    return TableDiff(
        rows,
        added=_rest(second, in_new),
        removed=_rest(first, in_old),
        changed=second.take(in_new[unlike]),
        columns={name: count for name, count in sorted(columns.items(), key=lambda item: -item[1]) if count},
        schema=schema,
    )


def alone(file: pq.ParquetFile, keys: tuple[str, ...], added: bool) -> TableDiff:
    """Return the difference where only one state has the file: all rows were added, or all removed."""
    rows = file.read(columns=[name for name in keys if name in file.schema_arrow.names])
    nothing = rows.slice(0, 0)
    if added:
        return TableDiff((None, len(rows)), added=rows, removed=nothing, changed=nothing)
    return TableDiff((len(rows), None), added=nothing, removed=rows, changed=nothing)


def match(old: pa.Table, new: pa.Table, keys: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers, in `old` and in `new`, of the rows that both have, in the order of `new`."""
    old, new = old.select(keys), new.select(keys)
    on = list(keys)
    if any(table.group_by(on).aggregate([]).num_rows < table.num_rows for table in (old, new)):
        old, new = _numbered(old, on), _numbered(new, on)
        on.append("__copy")
    both = new.append_column("__new", pa.array(np.arange(len(new)))).join(
        old.append_column("__old", pa.array(np.arange(len(old)))), keys=on, join_type="inner"
    )
    in_new = both["__new"].to_numpy()
    order = np.argsort(in_new)
    return both["__old"].to_numpy()[order], in_new[order]


def _numbered(table: pa.Table, on: list[str]) -> pa.Table:
    """Add a column that counts the rows of one key, from 0."""
    copies = table.to_pandas().groupby(on, sort=False, dropna=False).cumcount()
    return table.append_column("__copy", pa.array(copies.to_numpy()))


def taken(file: pq.ParquetFile, column: str, rows: np.ndarray) -> pa.Array:
    """Return these rows of one column, as one array."""
    values = file.read(columns=[column]).column(0)
    if pa.types.is_string(values.type):  # its offsets end at 2 GiB, which the replies of 50,000 prompts can pass
        values = values.cast(pa.large_string())
    values = values.take(pa.array(rows))
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def unequal(old: pa.Array, new: pa.Array) -> np.ndarray:
    """Return for each place whether two arrays of one type differ there; nulls are alike, and so are NaNs."""
    kind = old.type
    absent = old.is_null().to_numpy(zero_copy_only=False), new.is_null().to_numpy(zero_copy_only=False)
    unlike: np.ndarray = absent[0] != absent[1]
    if pa.types.is_null(kind):
        return unlike
    if pa.types.is_dictionary(kind):
        return unequal(old.dictionary_decode(), new.dictionary_decode())
    if pa.types.is_struct(kind):
        for one, other in zip(old.flatten(), new.flatten(), strict=True):
            unlike |= unequal(one, other)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = [pc.fill_null(pc.list_value_length(array), 0).to_numpy() for array in (old, new)]
        unlike |= lengths[0] != lengths[1]
        alike = ~unlike
        values = [array.filter(pa.array(alike)).flatten() for array in (old, new)]
        row = np.repeat(np.flatnonzero(alike), lengths[0][alike])
        unlike[row[unequal(*values)]] = True
    else:
        differs = pc.fill_null(pc.not_equal(old, new), False)
        if pa.types.is_floating(kind):
            differs = pc.and_(differs, pc.invert(pc.fill_null(pc.and_(pc.is_nan(old), pc.is_nan(new)), False)))
        unlike |= differs.to_numpy(zero_copy_only=False)
    return unlike


def _rest(table: pa.Table, matched: np.ndarray) -> pa.Table:
    kept = np.ones(len(table), dtype=bool)
    kept[matched] = False
    return table.filter(pa.array(kept))

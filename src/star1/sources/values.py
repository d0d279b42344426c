"""The values of a record: looked up by the names of columns, as texts, and compared with what `where` allows."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from star1.errors import UserError


@dataclass(frozen=True)
class Unreadable:
    """What stands where a file has no usable value: an error only if the entry reads it.

    `why` completes "column X of row Y".
    """

    why: str


TWICE = Unreadable("stands in two columns of that name; rename one of them")


def field(record: object, column: str | None, key: str, name: str) -> object:
    """Return a record's value in a column, or the record itself if no column is named; None for null and NaN.

    a.0.b is b of the first entry of the list in column a. Raises UserError if there is no such column.
    """
    if column is None:
        if isinstance(record, dict):
            raise UserError(f"{key}: row {name} has columns, name one: {', '.join(map(str, record))}.")
        value = record
    elif not isinstance(record, dict) or (column not in record and column.partition(".")[0] not in record):
        has = f"its columns are {', '.join(map(str, record))}" if isinstance(record, dict) else "it has no columns"
        raise UserError(f"{key}: there is no column {column!r} in row {name}; {has}.")
    else:
        value = record[column] if column in record else _within(record, column, key, name)
    if isinstance(value, Unreadable):
        raise UserError(f"{key}: column {column!r} of row {name} {value.why}.")
    return None if _is_nan(value) else value


def text_of(record: object, column: str, key: str, name: str) -> str | None:
    """Return a record's value in a column as a text, see `plain`. Raises UserError if there is no such column."""
    return plain(field(record, column, key, name), column, key, name)


def plain(value: object, column: str, key: str, name: str) -> str | None:
    """Return a value as a text; None for null and NaN.

    Raises UserError for a list, a mapping or bytes, which would come out as Python writes them.
    """
    if isinstance(value, list | tuple | dict | bytes):
        kind, part = "a list", f", or a part of it as {column}.0"
        if isinstance(value, dict):
            kind, part = "a mapping", f", or a part of it as {column}.{next(iter(value), 'NAME')}"
        elif isinstance(value, bytes):
            kind, part = "binary data", ""
        raise UserError(
            f"{key}: row {name} has {kind} in column {column!r}, where a text or a number belongs; name another column"
            f"{part}."
        )
    return None if value is None or _is_nan(value) else str(value)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value


def equal(found: object, allowed: bool | float | str) -> bool:
    """Say whether a value is one that `where` allows.

    Numbers are equal however they are written: 1, 1.0, "1" and "1.0". True and False are equal to these words in any
    case, and to no number. Texts are equal if all characters are. Null is equal to nothing.
    """
    if found is None:
        return False
    if isinstance(allowed, bool) or isinstance(found, bool):
        return str(found).lower() == str(allowed).lower()
    if isinstance(allowed, str) and isinstance(found, str):
        return found == allowed
    number = _number(found)
    return str(found) == str(allowed) or (number is not None and number == _number(allowed))


def _number(value: object) -> Decimal | None:
    if not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))  # by its digits: 0.1 is "0.1", and large whole numbers stay apart
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _within(record: object, path: str, key: str, name: str) -> object:
    """Follow a path such as a.0.b into nested columns; a list that is too short, or null, has nothing there."""
    for part in path.split("."):
        if isinstance(record, list) and re.fullmatch(r"-?\d+", part):
            place = int(part)
            record = record[place] if -len(record) <= place < len(record) else None
        elif isinstance(record, dict) and part in record:
            record = record[part]
        elif isinstance(record, Unreadable):
            return record
        elif record is not None:
            has = f"it has {', '.join(map(str, record))}" if isinstance(record, dict) else "nothing is below it"
            raise UserError(f"{key}: there is no {part!r} of {path!r} in row {name}; {has}.")
    return record

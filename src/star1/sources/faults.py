"""Rows that cannot be used, told in one line a fault."""

from star1.errors import UserError


class Faults:
    """Faults of an entry's rows, each with the rows that have it. `key` is the entry's place in params.yaml."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._rows: dict[str, list[str]] = {}

    def add(self, fault: str, row: str) -> None:
        """Note a row's fault."""
        self._rows.setdefault(fault, []).append(row)

    def stop_if_any(self, rows: int) -> None:
        """Raise UserError with one line a fault; also if there are no rows at all."""
        if not rows and not self._rows:
            raise UserError(f"{self._key}: no row in it; check path, splits and where.")
        if self._rows:
            raise UserError(
                "\n".join(
                    f"{self._key}: row {found[0]}{f' and {len(found) - 1:,} more' if len(found) > 1 else ''}: {fault}."
                    for fault, found in self._rows.items()
                )
            )


def text_fault(text: object) -> str | None:
    """Return why `text` cannot be used, or None if it can: text that is not blank and can be written as UTF-8."""
    if not isinstance(text, str):
        return "missing" if text is None else "not text"
    if not text.strip():
        return "empty"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: bytes that are not UTF-8, see files.opened, or half a JSON escape
        return "undecodable"
    return None

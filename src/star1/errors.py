"""The one exception that speaks to the user."""

import errno

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class UserError(Exception):
    """Something the user can mend. The message says in a line what is wrong, where, and what to do; no traceback."""


def of_the_disk(error: OSError) -> UserError | None:
    """Return the message for a full or read-only disk; None for any other error."""
    if error.errno not in OF_THE_DISK:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return UserError(f"{where}{error.strerror}; nothing half-written is left. Mend that and run again.")

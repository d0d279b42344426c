"""How the inner loops are compiled.

Importing this file imports numba (about 0.3 s), so the kernels are imported where they are called. Compiling all loops
takes a few seconds the first time; the result is kept beside the files, or in the user's cache folder where that is
read-only.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba and keep the result on disk, where there is a place to keep it."""
    try:
        return cast(Function, numba.njit(cache=True)(function))
    except RuntimeError:  # no writable folder for the cache: compile anew in each process
        return cast(Function, numba.njit(function))

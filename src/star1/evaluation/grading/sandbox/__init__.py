"""Runs generated Python code against tests without letting it do anything else.

Each program is run in two processes of its own: one holds the generated code, the other the tests and the verdict (see
inside/roles.py). Both are locked in, by the first of three ways that holds on this machine: a jail of resource limits,
Landlock and seccomp with bubblewrap around it; the jail alone; CPython in WebAssembly, where wasmtime and a Python for
it are installed. Whether a way holds is found out by attacking it (selftest.py), once per process. Where none holds,
nothing is run and every outcome is "unjudged".
"""

from .run import Outcome, Program, run_all, why_not

__all__ = ["Outcome", "Program", "run_all", "why_not"]

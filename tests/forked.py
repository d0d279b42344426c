"""Processes that are to be killed, from one fork server: a start takes milliseconds, since the imports are done."""

import multiprocessing
from multiprocessing.context import ForkServerContext

# A process has one fork server, which imports these once, at its start.
PRELOADED = ["tests.generating", "tests.training.trainee"]


def forkserver() -> ForkServerContext:
    """Return the context of the fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context

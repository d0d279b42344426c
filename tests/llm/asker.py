"""A process that asks a server about rows, to be killed: `python -m tests.llm.asker URL ROWS CONCURRENCY MODE BUDGET`.

It forks a child for each line on its input, so that 50 kills cost one import; says the child's pid, then its status.
"""

import json
import os
import sys
from pathlib import Path

from star1.asking.rows import ask_rows
from star1.errors import UserError
from star1.files import write_json
from tests.llm.conftest import questions, rows, sending, teachers

USD = 10.0


def ask(url: str, count: int, concurrency: int, mode: str, budget_usd: float | None) -> None:
    """Ask about the rows, a million tokens for USD dollars; write what came of each to STAR1_HOME/asked.json."""
    params = teachers(url)
    how = sending(
        concurrency=concurrency,
        mode=mode,
        batch_poll_s=0.02,
        input_usd=USD,
        output_usd=USD,
        budget_usd=budget_usd,
    )
    asked = ask_rows("categorize", questions(rows(count)), params.classifier, params, how)
    write_json(Path(os.environ["STAR1_HOME"]) / "asked.json", asked.values)


def main() -> None:
    url, count, concurrency, mode, budget = sys.argv[1:]
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            os.dup2(2, 1)  # what it prints must not stand among pids
            try:
                ask(url, int(count), int(concurrency), mode, float(budget) if budget else None)
                status = 0
            except UserError as error:
                print(error, file=sys.stderr)
            finally:
                os._exit(status)
        print(json.dumps(pid), flush=True)
        print(json.dumps(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()

"""The two parts inside WebAssembly, one in each instance: they have standard streams and nothing else.

Arguments: "candidate", or "tester" and the task in hexadecimal digits. Standard input and output lead to the other
part. The tester writes the verdict to standard error.
"""

import os
import sys

from .roles import be_candidate, be_tester
from .values import decode, encode


def main() -> None:
    """Play the part that the arguments name."""
    role, *task = sys.argv[1:]
    del sys.argv[1:]
    os.environ.clear()
    # Whatever is printed would stand between the messages.
    sys.stdout = sys.stderr
    with open(0, "rb", closefd=False) as reader, open(1, "wb", closefd=False) as writer:
        if role == "candidate":
            be_candidate(reader, writer)
            return
        nonce, solution, tests, entry_point, _ = decode(bytes.fromhex(task[0]))
        with open(2, "wb", closefd=False) as verdict:
            sys.stdout = sys.stderr = None
            word, why = be_tester(writer, reader, solution, tests, entry_point)
            verdict.write(encode((nonce, word, why[:1000])))

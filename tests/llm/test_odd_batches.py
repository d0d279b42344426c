"""Batches whose rows were refused or came back odd: every other row is kept, and the batch is done with."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from star1.errors import UserError
from tests.fault_batches import Batches
from tests.fault_server import Body, FaultServer
from tests.llm.conftest import Ask, rows

Line = dict[str, Any]


class OddBatches(Batches):
    """Batches that pass each line of their output through `odd`, with the row's text; refused rows go into errors."""

    odd: Callable[[str, Line], str | Line]

    def _end(self, name: str, complete: Callable[[Body], Body]) -> None:
        super()._end(name, complete)
        batch = self.made[name]
        texts = {}
        for line in self.files[batch["input_file_id"]].splitlines():
            texts[json.loads(line)["custom_id"]] = json.loads(line)["body"]["messages"][0]["content"]
        out: dict[str, list[str]] = {"output_file_id": [], "error_file_id": []}
        for line in self.files[batch["output_file_id"]].splitlines():
            row = json.loads(line)
            odd = self.odd(texts[row["custom_id"]], row)
            refused = row["response"]["status_code"] != 200
            out["error_file_id" if refused else "output_file_id"].append(
                odd if isinstance(odd, str) else json.dumps(odd)
            )
        for key, lines in out.items():
            batch[key] = f"{name}-{key}" if lines else None
            self.files[f"{name}-{key}"] = "\n".join(lines).encode()


def responding(status: int, body: Any) -> Callable[[str, Line], str | Line]:
    """Give "bad" rows this response."""

    def odd(text: str, row: Line) -> Line:
        if "bad" in text:
            row["response"] = {"status_code": status, "body": body}
        return row

    return odd


def spoilt(more: str) -> Callable[[str, Line], str | Line]:
    """Put a text into the lines of "bad" rows."""
    return lambda text, row: json.dumps(row)[:-1] + f', "more": {more}}}' if "bad" in text else row


@pytest.fixture
def batched(server: FaultServer, ask: Ask) -> Ask:
    server.batches = OddBatches()
    return lambda texts, **changes: ask(texts, mode="batch", batch_poll_s=0.01, **changes)


def test_refused_rows_of_a_batch_are_no_outage(server: FaultServer, batched: Ask) -> None:
    server.batches.odd = responding(400, {"error": {"message": "Invalid prompt", "code": "invalid_prompt"}})
    bad = {f"bad {n}": f"bad {n}" for n in range(12)}
    asked = batched(bad, llm={"max_failure_rate": 1.0})
    assert sorted(asked.failures["id"]) == sorted(bad)
    assert batched(bad, llm={"max_failure_rate": 1.0}).failures.equals(asked.failures)
    assert len(server.batches.made) == 1


@pytest.mark.parametrize(
    ("odd", "why", "made"),
    [
        (responding(400, None), "the endpoint answered 400", 1),
        (responding(400, {"error": "prompt too long"}), "prompt too long", 1),
        (responding(422, "prompt too long"), "prompt too long", 1),
        (responding(200, {"id": "x"}), "no chat completion", 2),
        (responding(200, None), "no chat completion", 2),
        (spoilt("[" * 200_000 + "]" * 200_000), "no chat completion", 2),  # deeper than any Python reads
        (spoilt("1" * 5000), "no chat completion", 2),
        (spoilt('"half'), "no chat completion", 2),
    ],
)
def test_an_odd_row_is_one_failed_row(
    server: FaultServer, batched: Ask, odd: Callable[[str, Line], str | Line], why: str, made: int
) -> None:
    server.batches.odd = odd
    asked = batched(rows(29) | {"7": "bad"})
    assert len(asked.values) == 29
    assert why in asked.failures["reason"][0]
    assert len(server.batches.made) == made, "what cannot be read is asked for once more"
    assert batched(rows(29) | {"7": "bad"}).failures.equals(asked.failures)
    assert len(server.batches.made) == made


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"custom_id": {}}', '{"custom_id": "x", "response": "y"}'])
def test_a_line_of_no_row_is_passed_over(server: FaultServer, batched: Ask, line: str) -> None:
    server.batches.odd = lambda text, row: line + "\n" + json.dumps(row)
    assert len(batched(rows(5)).values) == 5


def test_a_batch_that_the_endpoint_does_not_know_is_named(server: FaultServer, batched: Ask, tmp_path: Path) -> None:
    class Unknown(Batches):
        gone = ""

        def handle(self, method: str, path: str, *rest: Any) -> tuple[int, bytes]:
            if method == "GET" and re.fullmatch(self.gone, path.partition("?")[0]):
                return 404, b'{"error": {"message": "No such object", "code": null}}'
            return super().handle(method, path, *rest)

    told = "batch batch-0, .*TEST_KEY.*another project.*expired.*DELETE FROM batches WHERE batch_id = 'batch-0'"
    server.batches = Unknown()
    for Unknown.gone in ("/v1/batches/.*", "/v1/files/.*output.*"):
        with pytest.raises(UserError, match=told):
            batched(rows(5))
    with sqlite3.connect(tmp_path / "home/responses/responses.sqlite") as database:
        database.execute("DELETE FROM batches WHERE batch_id = 'batch-0'")
    Unknown.gone = "nothing"
    server.batches.made.clear()
    assert len(batched(rows(5)).values) == 5, "what is told to do leads on"

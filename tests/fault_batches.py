"""The files and batches of the fault server: OpenAI's Batch API, which expires or loses rows when told to."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass
class Batches:
    """Files and batches by id. A batch ends at its `polls`-th look; of its rows `lost(n, batch)` are not finished."""

    polls: int = 1
    ends: str = "completed"  # how the first batch ends: completed, expired, failed; all later ones complete
    keeps: float = 1.0  # share of an expired batch's rows that were finished before it expired
    files: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, Body] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # last message of every row of every batch
    refused: str = ""  # rows whose last message is this text get a 400
    lose: str = ""  # "METHOD PATTERN": the first such request is done, and its reply never comes; `stalled` says so
    stalled: threading.Event = field(default_factory=threading.Event)

    def inputs(self) -> list[bytes]:
        """Return the input file of each batch, in the order in which they were made."""
        return [self.files[batch["input_file_id"]] for batch in self.made.values()]

    def lost_reply(self, method: str, path: str) -> bool:
        """Say whether the reply to this request is the one to be lost."""
        return bool(self.lose and not self.stalled.is_set() and re.fullmatch(self.lose, f"{method} {path}"))

    def handle(
        self, method: str, path: str, content_type: str, content: bytes, complete: Callable[[Body], Body]
    ) -> tuple[int, bytes]:
        """Return status and body of the reply to any request but a chat completion."""
        path, _, _ = path.removeprefix("/v1").partition("?")
        if method == "POST" and path == "/files":
            return self._upload(content_type, content)
        if found := re.fullmatch(r"/files/([\w-]+)/content", path):
            return 200, self.files[found[1]]
        if method == "POST" and path == "/batches":
            return self._make(json.loads(content))
        if path == "/batches":
            newest = [self._shown(name) for name in reversed(self.made)]
            return 200, json.dumps({"object": "list", "data": newest, "has_more": False}).encode()
        if (found := re.fullmatch(r"/batches/([\w-]+)", path)) and found[1] in self.made:
            self.looks[found[1]] += 1
            if self.looks[found[1]] == self.polls:
                self._end(found[1], complete)
            return 200, json.dumps(self._shown(found[1])).encode()
        return 404, json.dumps({"error": {"message": f"no {path}", "code": "not_found"}}).encode()

    def _upload(self, content_type: str, content: bytes) -> tuple[int, bytes]:
        boundary = content_type.split("boundary=")[1].encode()
        part = next(part for part in content.split(b"--" + boundary) if b"filename=" in part)
        name = f"file-{len(self.files)}"
        self.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        about = {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": "b.jsonl"}
        return 200, json.dumps(about | {"purpose": "batch", "status": "processed"}).encode()

    def _make(self, body: Body) -> tuple[int, bytes]:
        name = f"batch-{len(self.made)}"
        self.made[name] = {
            "id": name,
            "object": "batch",
            "created_at": 0,
            "completion_window": body["completion_window"],
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "metadata": body.get("metadata"),
            "status": "in_progress",
        }
        self.looks[name] = 0
        lines = self.files[body["input_file_id"]].splitlines()
        self.asked += [json.loads(line)["body"]["messages"][-1]["content"] for line in lines]
        return 200, json.dumps(self._shown(name)).encode()

    def _end(self, name: str, complete: Callable[[Body], Body]) -> None:
        batch = self.made[name]
        batch["status"] = self.ends if name == "batch-0" else "completed"
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "planned", "message": "planned"}]}
            return
        rows = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        finished = rows[: int(self.keeps * len(rows))] if batch["status"] == "expired" else rows
        done = [
            {"custom_id": row["custom_id"], "response": self._response(row["body"], complete)}
            for row in reversed(finished)  # in another order than asked, as the real one may
        ]
        lost = [
            {"custom_id": row["custom_id"], "response": None, "error": {"code": "batch_expired", "message": "expired"}}
            for row in rows[len(finished) :]
        ]
        for key, lines in (("output_file_id", done), ("error_file_id", lost)):
            if lines:
                batch[key] = f"{name}-{key}"
                self.files[batch[key]] = "\n".join(json.dumps(line) for line in lines).encode()

    def _response(self, body: Body, complete: Callable[[Body], Body]) -> Body:
        if self.refused and body["messages"][-1]["content"] == self.refused:
            return {"status_code": 400, "body": {"error": {"message": "planned", "code": "planned"}}}
        return {"status_code": 200, "body": complete(body)}

    def _shown(self, name: str) -> Body:
        return self.made[name]

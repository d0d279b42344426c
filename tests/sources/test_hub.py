"""Reader hub: copies in the Hub's layout, and a small Hub on localhost for fetching, gated and absent data sets."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
AT = {"reader": "hub", "path": "mirror", "dataset": "owner/set", "revision": COMMIT, "column": "q"}
README = """---
configs:
- config_name: main
  data_files:
  - {split: one, path: part/one.jsonl}
  - {split: two, path: [part/two-0.jsonl, part/two-1.jsonl]}
---
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a data set whose README gives one config and two splits."""
    folder = tmp_path / "mirror" / "owner__set"
    (folder / "part").mkdir(parents=True)
    (folder / "README.md").write_text(README)
    (folder / "part/one.jsonl").write_text('{"q": "a"}\n{"q": null}\n{"q": "NA"}\n')
    (folder / "part/two-0.jsonl").write_text('{"q": "None"}\n')
    (folder / "part/two-1.jsonl").write_text('{"q": "d"}\n')
    return folder


def test_splits_come_in_the_entrys_order(copy, source) -> None:
    kept, dropped = source(**AT, config="main", splits=["two", "one"])
    assert kept.question.tolist() == ["None", "d", "a", "NA"]
    assert kept.source_id.tolist() == ["two:0", "two:1", "one:0", "one:2"]
    assert dropped.detail.tolist() == ["one:1"]
    assert source(**AT)[0].source_id.tolist() == ["one:0", "one:2", "two:0", "two:1"]


def test_wrong_config_split_or_column(copy, source, fails) -> None:
    with fails("sources.S.config", "'other' not found", "main"):
        source(**AT, config="other")
    with fails("sources.S.splits", "no train", "one, two"):
        source(**AT, splits="train")
    with fails("sources.S.column", "no column 'p'", "columns are q"):
        source(**{**AT, "column": "p"})


def test_a_copy_of_another_commit_is_refused(copy, source, fails) -> None:
    note = copy / ".cache/huggingface/download/part/one.jsonl.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{COMMIT}\netag\n0\n")
    assert len(source(**AT)[0]) == 4
    note.write_text(f"{COMMIT[::-1]}\netag\n0\n")
    with fails("sources.S.revision", COMMIT, COMMIT[::-1]):
        source(**AT)


def test_a_copy_may_be_made_of_links(copy, source, tmp_path, fails) -> None:
    blob = tmp_path / "4f2d"  # as the Hub's cache has them: named by a hash, elsewhere
    (copy / "part/one.jsonl").replace(blob)
    (copy / "part/one.jsonl").symlink_to(blob)
    assert len(source(**AT)[0]) == 4
    note = copy / ".cache/huggingface/download/part/one.jsonl.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{COMMIT[::-1]}\netag\n0\n")
    with fails("sources.S.revision", COMMIT, COMMIT[::-1]):
        source(**AT)
    note.unlink()
    folder = tmp_path / "elsewhere"
    copy.replace(folder)
    copy.symlink_to(folder)
    assert len(source(**AT)[0]) == 4
    blob.unlink()
    with fails("sources.S.dataset", "the copy", "owner__set of owner/set is broken", "Unable to find"):
        source(**AT)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("configs: [", "expected the node content"),
        ("\tconfigs: []", "cannot start any token"),
        ("- a list", "should be a dict"),
        ("configs: 3", "Expected configs to be a list"),
        ("configs:\n- null", "NoneType"),
        ("configs:\n- config_name: main\n  data_files:\n  - {path: part/one.jsonl}", "Expected data_files in YAML"),
        ("configs:\n- config_name: main\n  data_dir: 5", "not 'int'"),
    ],
)
def test_a_copy_with_a_broken_header(copy, source, header: str, says: str, fails) -> None:
    (copy / "README.md").write_text(f"---\n{header}\n---\n")
    with fails("sources.S.dataset", "the copy", "is broken, its README.md or another file", says, "or mend it."):
        source(**AT)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("data.zip", b"PK\x03\x04 and no more", "File is not a zip file"),
        ("README.md", b"---\n\xff\n---\n", "can't decode byte 0xff"),
        ("model.safetensors", b"x", "data files"),
    ],
)
def test_a_copy_with_a_broken_file(tmp_path, source, name: str, content: bytes, says: str, fails) -> None:
    folder = tmp_path / "mirror" / "owner__set"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    with fails("sources.S.dataset", "the copy", "is broken", says):
        source(**AT)


def test_parquet(tmp_path, source, fails) -> None:
    data = tmp_path / "mirror" / "owner__set" / "data"
    data.mkdir(parents=True)
    files = [data / f"train-0000{part}-of-00002.parquet" for part in range(2)]
    pq.write_table(pa.table({"q": ["a", None, "NA"], "safe": [False, False, True]}), files[0])
    pq.write_table(pa.table({"q": ["b"], "safe": [False]}), files[1])
    kept, dropped = source(**AT, splits="train", where={"safe": False})
    assert kept.question.tolist() == ["a", "b"] and kept.source_id.tolist() == ["train:0", "train:3"]
    assert dropped.detail.tolist() == ["train:1"]
    whole = files[0].read_bytes()
    for damaged in (whole[: len(whole) // 2], b"PAR1", b""):
        files[0].write_bytes(damaged)
        with fails("sources.S.path", "is damaged"):
            source(**AT, splits="train")


def test_json_on_the_hub_is_a_list_or_lines(tmp_path, source) -> None:
    folder = tmp_path / "mirror" / "owner__set"
    folder.mkdir(parents=True)
    for text in ('[{"q": "a"}, {"q": "b"}]', '{"q": "a"}\n{"q": "b"}\n'):
        (folder / "data.json").write_text(text)
        assert source(**AT, splits="train")[0].question.tolist() == ["a", "b"]


FILES = {
    "README.md": README.encode(),
    "part/one.jsonl": b'{"q": "fetched"}\n',
    "part/two-0.jsonl": b'{"q": "x"}\n',
    "part/two-1.jsonl": b'{"q": "y"}\n',
}


@pytest.fixture
def hub() -> Iterator[str]:
    """Serve the few calls of the Hub's API that loading needs: owner/set is open, owner/gated is gated."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if "/owner/gated" in path:
                return self.answer(401, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
            if "/owner/set" not in path:
                return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            if path.startswith("/api/"):
                inside = [
                    {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                    for name, body in FILES.items()
                ]
                if "/tree/" in path:
                    below = path.partition(f"/tree/{COMMIT}")[2].strip("/")
                    return self.answer(200, json.dumps([f for f in inside if f["path"].startswith(below)]).encode())
                if "/paths-info/" in path:
                    return self.answer(200, json.dumps(inside).encode())
                names = [{"rfilename": name} for name in FILES]
                return self.answer(200, json.dumps({"id": "owner/set", "sha": COMMIT, "siblings": names}).encode())
            body = FILES.get(path.partition(f"/resolve/{COMMIT}/")[2])
            if body is None:
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return self.answer(200, body, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


SCRIPT = """
import pathlib, sys
from star1.errors import UserError
from star1.sources.entries import SourceEntry
from star1.sources.read import read_source
for name in ("set", "gated", "absent"):
    keys = {"reader": "hub", "path": "mirror", "dataset": f"owner/{name}", "revision": sys.argv[2], "splits": "one"}
    entry = SourceEntry(**keys, column="q", ngram=8)
    try:
        print(read_source("S", entry, pathlib.Path(sys.argv[1]), 100)[0].to_dict("records"))
    except UserError as error:
        print(error)
"""


def test_the_hub_itself(tmp_path: Path, hub: str) -> None:
    # In a process of its own, because the Hub's address is read once, on import.
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), COMMIT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    fetched, gated, absent = done.stdout.splitlines() or [done.stderr] * 3
    assert fetched == "[{'question': 'fetched', 'source': 'S', 'source_id': 'one:0'}]", done.stderr
    assert gated.startswith("sources.S.dataset: owner/gated is gated.") and "HF_TOKEN" in gated
    assert absent.startswith("sources.S.dataset: there is no https://huggingface.co/datasets/owner/absent")

"""Files that are fetched: once, not into the mirror, whole or not at all; and copies in the mirror."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from star1.errors import UserError
from star1.sources.entries import SourceEntry
from star1.sources.read import read_source


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve two texts, a 404 and an answer that breaks off; yield the address and the list of paths asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = {"/dev/b.json": b'["a"]', "/test/b.json": b'["b"]', "/cut.json": b'["c"'}.get(self.path)
            if self.path.startswith("/file?id="):
                body = json.dumps([self.path]).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"") + (9 if self.path == "/cut.json" else 0)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_urls_are_fetched_once_and_not_into_the_mirror(tmp_path, source, web, monkeypatch) -> None:
    monkeypatch.delenv("STAR1_HOME", raising=False)
    address, asked = web
    (tmp_path / "mirror").mkdir()
    for _ in range(2):
        kept, _ = source(reader="json", path="mirror", url=[f"{address}/dev/b.json", f"{address}/test/b.json"])
        assert kept.question.tolist() == ["a", "b"] and kept.source_id.tolist() == ["dev/b.json:0", "test/b.json:0"]
    assert asked == ["/dev/b.json", "/test/b.json"]
    assert not any((tmp_path / "mirror").iterdir())


def test_urls_that_differ_in_their_query_are_two_files(tmp_path, source, web, monkeypatch) -> None:
    monkeypatch.delenv("STAR1_HOME", raising=False)
    paths = ["/file?id=A", "/file?id=B"]
    for _ in range(2):
        kept = [source(reader="json", path="mirror", url=f"{web[0]}{path}")[0].question.tolist() for path in paths]
        assert kept == [[path] for path in paths]
    assert web[1] == paths


def test_a_mirrored_copy_comes_first(tmp_path, source, web) -> None:
    address, asked = web
    copy = tmp_path / "mirror" / address.removeprefix("http://").replace(":", "_") / "dev" / "b.json"
    copy.parent.mkdir(parents=True)
    copy.write_text('["mirrored"]')
    kept, _ = source(reader="json", path="mirror", url=f"{address}/dev/b.json")
    assert kept.question.tolist() == ["mirrored"] and not asked


def test_rows_are_called_the_same_wherever_their_files_lie(tmp_path, source, web, monkeypatch) -> None:
    """One file in the mirror and one fetched, from a relative root too."""
    address, _ = web
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    copy = tmp_path / "mirror" / address.removeprefix("http://").replace(":", "_") / "dev" / "b.json"
    copy.parent.mkdir(parents=True)
    copy.write_text('["mirrored"]')
    at = {"reader": "json", "path": "mirror", "url": [f"{address}/dev/b.json", f"{address}/test/b.json"]}
    assert source(**at)[0].source_id.tolist() == ["dev/b.json:0", "test/b.json:0"]
    monkeypatch.chdir(tmp_path)
    kept, _ = read_source("S", SourceEntry(**at, ngram=8), Path(), 1000)
    assert kept.question.tolist() == ["mirrored", "b"] and kept.source_id.tolist() == ["dev/b.json:0", "test/b.json:0"]


def test_a_url_may_have_letters_that_urls_must_not_have(tmp_path, source, web, monkeypatch) -> None:
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    kept, _ = source(reader="json", path="mirror", url=f"{web[0]}/file?id=n\u00e4h und+%41")
    assert kept.question.tolist() == ["/file?id=n%C3%A4h%20und+%41"]
    with pytest.raises(UserError, match="Not Found"):
        source(reader="json", path="mirror", url=f"{web[0]}/n\u00e4hen.json")


def test_a_url_that_fails_leaves_nothing_behind(tmp_path, source, web, monkeypatch, fails) -> None:
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    for name, says in (("none.json", "Not Found"), ("cut.json", "IncompleteRead")):
        with fails("sources.S.url", "cannot fetch", says, "put the file at"):
            source(reader="json", path="mirror", url=f"{web[0]}/{name}")
    with fails("sources.S.url", "refused"):
        source(reader="json", path="mirror", url="http://127.0.0.1:9/x.json")
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]

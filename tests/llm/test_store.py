"""The store: whole replies or none, told in a line where the disk is broken."""

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from star1.errors import UserError
from star1.llm.requests import Request
from star1.llm.store import Store

ASKED = Request("scorer", "http://x", {"model": "m", "messages": [{"role": "user", "content": "how?"}]})


def asked_with(seed: int) -> Request:
    return Request("scorer", "http://x", {**ASKED.body, "seed": seed})


def test_a_store_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(UserError, match="not a usable response store"):
        Store(tmp_path)


def test_a_damaged_page_is_told_in_a_line(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for n in range(200):
            store.put(asked_with(n), {"choices": [], "filler": str(n) * 200})
    path = tmp_path / "responses.sqlite"
    content = bytearray(path.read_bytes())
    content[8192:] = b"\x5a" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a usable response store"):
        list(Store(tmp_path).rows())


def test_a_damaged_reply_is_told_in_a_line(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put(ASKED, {"choices": []})
    with sqlite3.connect(tmp_path / "responses.sqlite") as database:
        database.execute("UPDATE replies SET reply = x'00'")
    with pytest.raises(UserError, match=f"the reply {ASKED.key[:16]} is damaged"):
        Store(tmp_path).get(ASKED)


def test_a_full_disk_leaves_whole_rows(tmp_path: Path) -> None:
    store, put = Store(tmp_path), 0
    store._database.execute("PRAGMA max_page_count = 40")  # SQLite then fails as on a full disk
    with pytest.raises(UserError, match="full"):
        for put in range(1000):
            store.put(
                Request("scorer", "http://x", {**ASKED.body, "seed": put}), {"choices": [put], "filler": "x" * 99}
            )
    store.close()
    with Store(tmp_path) as again:
        assert len(again) == put > 10
        for n in range(put):
            assert again.get(asked_with(n)) == {
                "choices": [n],
                "filler": "x" * 99,
            }


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot keep responses here"):
        Store(tmp_path / "file/responses")


def test_a_stored_reply_comes_back_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(ASKED, {"choices": [{"text": "ü\u2028\x00\ud800"}]})
    store.put(ASKED, {"choices": []})
    assert Store(tmp_path).get(ASKED) == {"choices": [{"text": "ü\u2028\x00\ud800"}]}
    store.put(ASKED, {"choices": []}, replace=True)
    assert Store(tmp_path).get(ASKED) == {"choices": []}


def test_a_claim_is_one_s_own_until_its_owner_is_gone(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    assert one.claim("a")
    assert not one.claim("a")
    assert not other.claim("a")
    one.release("a")
    assert other.claim("a")
    other.close()
    assert one.claim("a"), "a dead owner's claim is taken over"
    one.put(ASKED, {"choices": []})
    assert not one.claim(ASKED.key)
    assert one.claim(ASKED.key, again=True)


def open_each(folders: list[Path], together: Any) -> None:
    """Open a store in each folder, at the same moment as the other processes."""
    for folder in folders:
        together.wait()
        Store(folder).close()


def test_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    together = context.Barrier(4, timeout=60)
    folders = [tmp_path / str(number) for number in range(100)]
    processes = [context.Process(target=open_each, args=(folders, together)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4

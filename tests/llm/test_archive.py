"""The archive: one more row changes one file, and the way back gives the same store."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from star1.errors import UserError
from star1.llm.archive import pack, unpack
from star1.llm.requests import Request, request
from star1.llm.settings import Teacher
from star1.llm.store import Store
from tests.llm.conftest import PARAMS


def filled(folder: Path, numbers: range) -> Store:
    store = Store(folder)
    for n in numbers:
        store.put(asked(n), {"choices": [{"text": f"ü{n}"}], "usage": {"prompt_tokens": 3, "completion_tokens": n}})
    return store


def asked(n: int) -> Request:
    return Request("scorer", "http://x", {"model": "m", "messages": [{"role": "user", "content": f"how {n}?"}]})


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_one_more_row_changes_one_file(tmp_path: Path) -> None:
    store = filled(tmp_path / "one", range(1000))
    assert pack(store, tmp_path / "archive")[0] == 1000
    before = digests(tmp_path / "archive")
    assert pack(store, tmp_path / "archive") == (1000, 0)
    store.put(asked(1000), {"choices": []})
    assert pack(store, tmp_path / "archive") == (1001, 1)
    after = digests(tmp_path / "archive")
    assert {name for name in after if after[name] != before.get(name)} == {f"{asked(1000).key[:2]}.jsonl.gz"}


def test_rows_put_in_another_order_give_the_same_archive(tmp_path: Path) -> None:
    pack(filled(tmp_path / "one", range(300)), tmp_path / "a")
    pack(filled(tmp_path / "other", range(299, -1, -1)), tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_the_way_back_merges(tmp_path: Path) -> None:
    pack(filled(tmp_path / "one", range(50)), tmp_path / "archive")
    other = filled(tmp_path / "other", range(40, 60))
    assert unpack(other, tmp_path / "archive") == (50, 40)
    assert len(other) == 60
    assert other.get(asked(7)) == {"choices": [{"text": "ü7"}], "usage": {"prompt_tokens": 3, "completion_tokens": 7}}
    assert other.usage().reply_tokens == sum(range(60))
    assert unpack(other, tmp_path / "archive") == (50, 0)


def test_a_request_with_numbers_for_names_has_the_key_of_its_stored_form(tmp_path: Path) -> None:
    as_yaml_has_it = {"logit_bias": {9999: -100, 50256: -100}}
    teacher = Teacher.model_validate(PARAMS.llm.scorer.model_dump() | {"extra": as_yaml_has_it})
    asked_for = request("scorer", teacher, [{"role": "user", "content": "how?"}])
    with Store(tmp_path / "one") as store:
        store.put(asked_for, {"choices": []})
        assert pack(store, tmp_path / "archive") == (1, 1)
        assert pack(store, tmp_path / "archive") == (1, 0)
    with Store(tmp_path / "other") as other:
        assert unpack(other, tmp_path / "archive") == (1, 1)
        assert other.get(asked_for) == {"choices": []}


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b cut", b"not gzip"])
def test_a_damaged_file_is_told_in_a_line(tmp_path: Path, damage: bytes) -> None:
    pack(filled(tmp_path / "one", range(5)), tmp_path / "archive")
    path = min((tmp_path / "archive").iterdir())
    path.write_bytes(damage)
    with pytest.raises(UserError, match=f"{path.name}: (damaged|empty)"):
        unpack(Store(tmp_path / "other"), tmp_path / "archive")


def test_a_row_that_is_not_what_its_key_says_is_refused(tmp_path: Path) -> None:
    import gzip

    pack(filled(tmp_path / "one", range(1)), tmp_path / "archive")
    path = next((tmp_path / "archive").iterdir())
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"how 0?", b"how 1?")))
    with pytest.raises(UserError, match="damaged"):
        unpack(Store(tmp_path / "other"), tmp_path / "archive")


def test_no_archive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no archive of responses"):
        unpack(Store(tmp_path / "other"), tmp_path)


def test_what_is_not_needed_is_counted_and_then_dropped(tmp_path: Path) -> None:
    store, needed = filled(tmp_path / "one", range(10)), {asked(n).key for n in range(4)}
    assert store.forget(needed.__contains__, really=False)[0] == 6
    assert len(store) == 10
    assert store.forget(needed.__contains__, really=True)[0] == 6
    assert {row.key for row in store.rows()} == needed


def test_pack_keeps_what_only_the_archive_has(tmp_path: Path) -> None:
    pack(filled(tmp_path / "paid", range(300)), tmp_path / "archive")
    before = digests(tmp_path / "archive")
    assert pack(Store(tmp_path / "empty"), tmp_path / "archive") == (300, 0)
    assert digests(tmp_path / "archive") == before
    assert pack(filled(tmp_path / "other", range(299, 302)), tmp_path / "archive")[0] == 302
    pack(filled(tmp_path / "all", range(302)), tmp_path / "at_once")
    assert digests(tmp_path / "archive") == digests(tmp_path / "at_once")


def test_pack_does_not_write_over_a_damaged_file(tmp_path: Path) -> None:
    store = filled(tmp_path / "one", range(5))
    pack(store, tmp_path / "archive")
    path = min((tmp_path / "archive").iterdir())
    path.write_bytes(b"cut")
    with pytest.raises(UserError, match=f"{path.name}: damaged"):
        pack(store, tmp_path / "archive")
    assert path.read_bytes() == b"cut"


REFUSED = {"error": {"status": None, "code": None, "message": "no reply within 600 s"}}
PAID = {"choices": [{"text": "paid"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}


def kept(folder: Path, reply: dict[str, Any]) -> Store:
    store = Store(folder)
    store.put(asked(0), reply)
    return store


@pytest.mark.parametrize(("archived", "own"), [(PAID, REFUSED), (REFUSED, PAID)])
def test_a_reply_wins_over_a_refusal_both_ways(tmp_path: Path, archived: dict[str, Any], own: dict[str, Any]) -> None:
    pack(kept(tmp_path / "colleague", archived), tmp_path / "archive")
    mine = kept(tmp_path / "mine", own)
    assert unpack(mine, tmp_path / "archive") == (1, int(own is REFUSED))
    assert mine.get(asked(0)) == PAID
    assert (mine.usage().reply_tokens, len(mine)) == (4, 1)

    assert pack(kept(tmp_path / "mine as it was", own), tmp_path / "archive") == (1, int(own is PAID))
    third = Store(tmp_path / "third")
    assert unpack(third, tmp_path / "archive") == (1, 1)
    assert third.get(asked(0)) == PAID


def test_of_two_replies_one_s_own_stays_and_is_packed(tmp_path: Path) -> None:
    other = PAID | {"choices": [{"text": "paid by another"}]}
    pack(kept(tmp_path / "colleague", other), tmp_path / "archive")
    mine = kept(tmp_path / "mine", PAID)
    assert unpack(mine, tmp_path / "archive") == (1, 0)
    assert mine.get(asked(0)) == PAID
    assert pack(mine, tmp_path / "archive") == (1, 1)

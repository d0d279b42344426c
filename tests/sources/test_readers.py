"""Each reader on good files and on bad ones: a count, a drop with its reason, or one line that names the key."""

import gzip
import hashlib
import io
import json
import lzma
import pickle
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from star1.sources.read import EMPTY, NOT_TEXT, NULL, TOO_LONG, UNDECODABLE
from star1.text import question_id


def test_words_for_nothing_are_questions(tmp_path, source) -> None:
    words = ["NA", "None", "null", "nan", "True", "007", "1e5"]
    (tmp_path / "a.csv").write_text("q\n" + "\n".join(words) + "\n")
    (tmp_path / "a.txt").write_text("\n".join(words))
    (tmp_path / "a.json").write_text(json.dumps(words))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"q": word}) + "\n" for word in words))
    for reader, column in (("csv", "q"), ("text", None), ("json", None), ("jsonl", "q")):
        suffix = {"text": "txt"}.get(reader, reader)
        kept, dropped = source(reader=reader, path=f"a.{suffix}", **({"column": column} if column else {}))
        assert kept.question.tolist() == words
        assert kept.source_id.tolist() == [str(number) for number in range(len(words))]
        assert set(kept.source) == {"S"} and dropped.empty


def test_unusable_questions_are_dropped_with_a_reason(tmp_path, source) -> None:
    long = "word " * 2_000_000  # 10 MB
    rows = ["fine", None, "  ", 12, long, "half \ud83d emoji", ["a list"]]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"q": row}) + "\n" for row in rows))
    kept, dropped = source(reader="jsonl", path="a.jsonl", column="q")
    assert kept.question.tolist() == ["fine"]
    assert dropped.reason.tolist() == [NULL, EMPTY, NOT_TEXT, TOO_LONG, UNDECODABLE, NOT_TEXT]
    assert dropped.detail.tolist() == ["1", "2", "3", "4", "5", "6"]
    assert dropped.id.tolist()[3] == question_id(long)
    assert dropped.id.is_unique and set(dropped.stage) == {"collect"} and set(dropped.outcome) == {"dropped"}
    assert dropped.value.tolist()[3] == len(long.strip())


def test_a_long_csv_cell_is_a_drop(tmp_path, source) -> None:
    (tmp_path / "a.csv").write_text(f'q\n"{"x" * 10_000_000}"\nfine\n')
    kept, dropped = source(reader="csv", path="a.csv", column="q")
    assert kept.question.tolist() == ["fine"] and dropped.reason.tolist() == [TOO_LONG]


def test_bytes_that_are_not_utf8_cost_one_row(tmp_path, source) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbffirst\r\nb\xffad\nlast")
    kept, dropped = source(reader="text", path="a.txt")
    assert kept.question.tolist() == ["first", "last"] and dropped.reason.tolist() == [UNDECODABLE]
    (tmp_path / "a.json").write_bytes(b'["first", "b\xffad"]')
    kept, dropped = source(reader="json", path="a.json")
    assert kept.question.tolist() == ["first"] and dropped.reason.tolist() == [UNDECODABLE]


def test_csv_cells_may_hold_lines_quotes_and_delimiters(tmp_path, source) -> None:
    (tmp_path / "a.tsv").write_text('n\tq\n1\t"two\nlines, ""quoted"""\n\n2\tplain\n')
    kept, _ = source(reader="csv", path="a.tsv", column="q", delimiter="\t")
    assert kept.question.tolist() == ['two\nlines, "quoted"', "plain"]


def test_csv_without_header_keeps_its_first_row(tmp_path, source) -> None:
    (tmp_path / "a.csv").write_text("first?\nsecond?\n")
    kept, _ = source(reader="csv", path="a.csv", column="0", header=False)
    assert kept.question.tolist() == ["first?", "second?"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("q,n\na,1\nb\n", "line 3: 1 values for 2 columns"),
        ("q,n\na,1,2\n", "line 2: 3 values for 2 columns"),
        ('q\na\n"open\nb\n', "the row begins in line 3; is a quote never closed"),
        ('q,l\n"Is this open?,1\nWhat does "no" mean?,1\n', "line 3: ',' expected after '\"'"),
        ("n\n1\n", "no column 'q'"),
        ("q\n", "no question in it (no row"),
        ("", "no question in it (no row"),
        ("q\n' '\n".replace("'", '"'), "no question in it (1 empty"),
    ],
)
def test_bad_csv_files(tmp_path, source, text: str, says: str, fails) -> None:
    (tmp_path / "a.csv").write_text(text)
    with fails("sources.S", says):
        source(reader="csv", path="a.csv", column="q")


def test_json_items(tmp_path, source) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"T": {"one": ["a", "b"], "two": ["c"]}, "U": {"three": []}}))
    kept, _ = source(reader="json", path="a.json", items=["*", "*"])
    assert kept.question.tolist() == ["a", "b", "c"]
    assert kept.source_id.tolist() == ["T/one/0", "T/one/1", "T/two/0"]
    kept, _ = source(reader="json", path="a.json", items=["T", "two"])
    assert kept.question.tolist() == ["c"]


@pytest.mark.parametrize(
    ("text", "keys", "key", "says"),
    [
        ('{"a": ["x"]', {}, "sources.S.path", "is not JSON"),
        ("[" * 100_000, {}, "sources.S.path", "is not JSON"),
        ('{"a": ["x"]}', {}, "sources.S.items", "no list"),
        ('{"a": ["x"]}', {"items": "b"}, "sources.S.items", "no 'b'"),
        ('[["x"]]', {"items": "*"}, "sources.S.items", "finds list"),
        ('["x"]', {"column": "q"}, "sources.S.column", "it has no columns"),
        ('[{"p": "x"}]', {"column": "q"}, "sources.S.column", "its columns are p"),
        ('[{"p": "x"}]', {}, "sources.S.column", "name one: p"),
        ('[{"p": "x"}]', {"column": "p", "where": {"w": 1}}, "sources.S.where", "no column 'w'"),
    ],
)
def test_bad_json_files(tmp_path, source, text: str, keys, key: str, says: str, fails) -> None:
    (tmp_path / "a.json").write_text(text)
    with fails(key, says):
        source(reader="json", path="a.json", **keys)


def test_bad_jsonl_line(tmp_path, source, fails) -> None:
    (tmp_path / "a.jsonl").write_text('{"q": "x"}\n\n{"q": "y"\n')
    with fails("sources.S.path", "line 3 is not JSON"):
        source(reader="jsonl", path="a.jsonl", column="q")


def test_missing_file(source, fails) -> None:
    with fails("sources.S.path", "none.txt is not a file"):
        source(reader="text", path="none.txt")


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_packed_files(tmp_path, source, compress, fails) -> None:
    suffix = "gz" if compress is gzip.compress else "xz"
    packed = compress(("question, " * 1000 + "\n").encode() * 3)
    (tmp_path / f"a.txt.{suffix}").write_bytes(packed)
    assert len(source(reader="text", path=f"a.txt.{suffix}")[0]) == 3
    for damaged in (packed[: len(packed) // 2], b"not packed at all", packed[:20] + b"\0" * 20 + packed[40:]):
        (tmp_path / f"a.txt.{suffix}").write_bytes(damaged)
        with fails("sources.S.path", "is damaged", "Fetch it again"):
            source(reader="text", path=f"a.txt.{suffix}")


def test_where(tmp_path, source, fails) -> None:
    rows = [{"q": "a", "safe": True, "n": 1}, {"q": "b", "safe": False, "n": 2}, {"q": "c", "safe": False, "n": 3}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.csv").write_text("q,safe,n\na,True,1\nb,False,2\nc,false,3\n")
    for reader in ("jsonl", "csv"):
        at = {"reader": reader, "path": f"a.{reader}", "column": "q"}
        assert source(**at, where={"safe": False})[0].question.tolist() == ["b", "c"]
        assert source(**at, where={"safe": False, "n": [1, 3]})[0].question.tolist() == ["c"]
        # The row's number counts the rows that were left out, so that another filter does not rename it.
        assert source(**at, where={"n": 3})[0].source_id.tolist() == ["2"]
    with fails("sources.S", "no row; check path, splits and where"):
        source(reader="csv", path="a.csv", column="q", where={"n": 4})


def test_frame_comes_off_where_it_stands(tmp_path, source) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps(["### I:\nask?\n### R:\n", "### I: ask?", "bare ### R: inside", "### I:### R:"])
    )
    kept, dropped = source(reader="json", path="a.json", frame={"prefix": "### I:", "suffix": "### R:"})
    assert kept.question.tolist() == ["ask?", "ask?", "bare ### R: inside"] and dropped.reason.tolist() == [EMPTY]


def test_sha256(tmp_path, source, fails) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    pin = hashlib.sha256(b"one\n").hexdigest()
    assert len(source(reader="text", path="a.txt", sha256=pin)[0]) == 1
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    with fails("sources.S.sha256", f"not {pin}"):
        source(reader="text", path="a.txt", sha256=pin)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "utf-8"])
def test_a_text_file_is_read_by_its_mark(tmp_path, source, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("How do I knit?\nWie näht man?\n".encode(encoding))
    kept, dropped = source(reader="text", path="a.txt")
    assert kept.question.tolist() == ["How do I knit?", "Wie näht man?"] and dropped.empty
    (tmp_path / "a.csv").write_bytes("q\nHow do I knit?\n".encode(encoding))
    assert source(reader="csv", path="a.csv", column="q")[0].question.tolist() == ["How do I knit?"]


def test_utf_16_without_a_mark_or_cut_is_told_in_a_line(tmp_path, source, fails) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        (tmp_path / "a.txt").write_bytes("How do I knit?\n".encode(encoding))
        with fails("sources.S.path", "a.txt", "seems to be UTF-16. Save it as UTF-8."):
            source(reader="text", path="a.txt")
    (tmp_path / "a.txt").write_bytes("How do I knit?\n".encode("utf-16")[:-1])
    with fails("sources.S.path", "a.txt is damaged"):
        source(reader="text", path="a.txt")


@pytest.mark.parametrize("reader", ["text", "csv", "json", "jsonl"])
def test_a_file_that_is_no_text(tmp_path, source, reader: str, fails) -> None:
    texts, packed = b"q\n" + b"How do I knit?\n" * 99, io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", texts)
    table = io.BytesIO()
    pq.write_table(pa.table({"q": ["How?"]}), table)
    for content, says in (
        (gzip.compress(texts), "is packed by gzip; let its name end in .gz"),
        (lzma.compress(texts), "is packed by xz; let its name end in .xz"),
        (packed.getvalue(), "is a zip archive or a spreadsheet; unpack it, or save it as CSV"),
        (table.getvalue(), "is a parquet file; read it with reader parquet"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "is no text but binary data; name a file that fits"),
        (pickle.dumps(list(range(1000))), "is no text but binary data"),
        ("Äöü, Größe? ".encode("utf-16-le") * 9, "seems to be UTF-16. Save it as UTF-8"),
    ):
        (tmp_path / "a.any").write_bytes(content)
        with fails("sources.S.path", "a.any", says):
            source(reader=reader, path="a.any", **({"column": "q"} if reader in ("csv", "jsonl") else {}))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "shift-jis"])
def test_text_in_another_encoding_is_not_taken_for_binary(tmp_path, source, encoding: str) -> None:
    letters = {"latin-1": "äöü", "cp1251": "как", "shift-jis": "\u9762"}[encoding]
    (tmp_path / "a.txt").write_bytes(b"How do I knit?\n" + f"{letters * 9}\n".encode(encoding) * 9)
    kept, dropped = source(reader="text", path="a.txt")
    assert kept.question.tolist() == ["How do I knit?"] and set(dropped.reason) == {UNDECODABLE}

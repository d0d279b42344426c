"""Stages with corners: look-alikes that coincide, rows that fit no category, scores below full, runs that must end."""

from pathlib import Path

import pandas as pd
import pytest

from stages import filter_benign, reason, rewrite, train
from star1 import artifacts, files
from star1.artifacts import ARTIFACTS
from star1.criteria import BENIGN_CRITERIA, SAFETY_CRITERIA
from star1.errors import UserError
from star1.pipeline.stage import Stage
from star1.text import question_id

QUESTIONS = ["How do I pick a lock?", "How do I copy a film?", "How do I read a diary?"]
IDS = [question_id(question) for question in QUESTIONS]


def put(root: Path, artifact: str, rows: pd.DataFrame) -> None:
    description = ARTIFACTS[artifact]
    artifacts.write_table(artifacts.to_table(description, rows), root / description.at())


def rows(**columns: list) -> pd.DataFrame:
    response = "<think>\nhm\n</think>\n\nno"
    return pd.DataFrame(
        {
            "id": IDS, "question": QUESTIONS, "source": "ALERT", "category": [["Self-Harm"]] * 3,
            "response": response, "thinking": "hm", "answer": "no", "score": [dict.fromkeys(SAFETY_CRITERIA, 10)] * 3,
        }
        | columns
    )  # fmt: skip


def lineage(root: Path, stage: str) -> list[tuple]:
    left = artifacts.read(root / f"data/lineage/{stage}.parquet")
    return list(left[["id", "outcome", "reason", "because_of"]].itertuples(index=False, name=None))


def answer_with(monkeypatch: pytest.MonkeyPatch, replies: dict[str, str]) -> None:
    """Let the simulator answer each prompt that holds a key with the value."""

    def reply(body: dict) -> dict:
        text = next(text for part, text in replies.items() if part in body["messages"][0]["content"])
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}

    monkeypatch.setattr("star1.miniature.teachers.simulator.reply", reply)


@pytest.mark.parametrize("repeats", [0, 1, 2])
def test_look_alikes_that_coincide_leave_with_the_row_that_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch, repeats: int
) -> None:
    put(root, "star1", rows())
    texts = [f'{{"question": "May I {0 if n <= repeats else n}?"}}' for n in range(3)]
    answer_with(monkeypatch, dict(zip(QUESTIONS, texts, strict=True)))
    rewrite.rewrite(Stage("rewrite", (), root))
    kept = artifacts.read(root / "data/benign/questions.parquet")
    assert list(kept["parent"]) == [IDS[0], *IDS[1 + repeats :]]
    same = question_id("May I 0?")
    assert lineage(root, "rewrite") == [
        (row_id, "dropped", "same look-alike as an earlier row's", same) for row_id in IDS[1 : 1 + repeats]
    ]


def test_a_rewrite_that_changed_nothing_leaves(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "star1", rows())
    texts = [f'{{"question": "{question.upper()}"}}' for question in QUESTIONS[:2]] + ['{"question": "May I?"}']
    answer_with(monkeypatch, dict(zip(QUESTIONS, texts, strict=True)))
    rewrite.rewrite(Stage("rewrite", (), root))
    assert [left[0] for left in lineage(root, "rewrite")] == IDS[:2]


def test_rows_that_fit_no_category_stop_at_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "categorized", rows(category=[["Self-Harm"], ["Other"], ["Intellectual Property"]]))
    answer_with(monkeypatch, dict.fromkeys(QUESTIONS, "<think>\nhm\n</think>\n\nno"))
    reason.reason(Stage("reason", (), root))
    assert list(artifacts.read(root / "data/cot.parquet")["id"]) == [IDS[0], IDS[2]]
    assert lineage(root, "reason") == [(IDS[1], "dropped", "fits no category", None)]


def test_only_full_scores_join_the_mix(root: Path) -> None:
    put(root, "star1", rows())
    full = dict.fromkeys(BENIGN_CRITERIA, 5)
    benign = rows(
        id=[question_id(f"b{n}") for n in range(3)], parent=IDS, score=[full, full | {BENIGN_CRITERIA[2]: 4}, full]
    )
    put(root, "benign_scored", benign)
    filter_benign.filter_benign(Stage("filter_benign", (), root))
    left = artifacts.read(root / "data/lineage/filter_benign.parquet")
    assert list(left["value"]) == [4.0]
    assert list(artifacts.read(root / "data/star1_2k.parquet")["id"]) == [*IDS, benign["id"][0], benign["id"][2]]


def put_base(root: Path, weights: bool) -> None:
    from star1.bases.miniature.pretraining import build_model
    from star1.bases.miniature.tokenizer import build_tokenizer
    from star1.params import load

    tokenizer = build_tokenizer(QUESTIONS)
    tokenizer.save_pretrained(root / "models/miniature")
    if weights:
        shape = {"hidden": 16, "heads": 2, "kv_heads": 1, "mlp": 16, "layers": 1}
        small = load(root / "params.yaml").bases["miniature"].model_copy(update=shape)
        build_model(small, tokenizer).save_pretrained(root / "models/miniature")


def test_a_run_has_a_card(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_base(root, weights=True)
    put(root, "star1", rows())
    train.train(Stage("train", ("star1",), root), "star1")
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("train/star1: ")]
    assert "train/star1: 3 rows, " in told and "; 0 longer than 8,192 tokens; " in told
    card = (root / "models/star1/README.md").read_text()
    assert files.file_md5(root / "data/star1.parquet") in card
    loss = pd.read_csv(root / "metrics/plots/training/star1.csv")["loss"].iloc[-1]
    assert f"| loss of the last step | {loss:.6g} |" in card


@pytest.mark.parametrize(
    ("response", "says"), [("no", "data/star1.parquet: row .* no thought"), ("<think>\nhm\n</think>", "no answer")]
)
def test_a_row_that_will_not_do_ends_a_run_before_weights_are_loaded(root: Path, response: str, says: str) -> None:
    put_base(root, weights=False)
    put(root, "star1", rows(response=response))
    with pytest.raises(UserError, match=says):
        train.train(Stage("train", ("star1",), root), "star1")


def test_a_base_without_a_template_ends_a_run_before_weights_are_loaded(root: Path) -> None:
    put_base(root, weights=False)
    (root / "models/miniature/chat_template.jinja").unlink()
    put(root, "star1", rows())
    with pytest.raises(UserError, match="models/miniature: its tokenizer has no chat template"):
        train.train(Stage("train", ("star1",), root), "star1")

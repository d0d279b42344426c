"""`star1 estimate train` on a miniature base model and rows of its own world."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from star1.artifacts import ARTIFACTS, to_table, write_table
from star1.bases.miniature.pretraining import build_model
from star1.bases.miniature.tokenizer import build_tokenizer
from star1.cli import app
from star1.criteria import SAFETY_CRITERIA
from star1.params import load
from star1.text import question_id
from star1.training.estimate import report
from star1.training.examples import encode_all, response_text
from tests.conftest import edit_params

QUESTIONS = [f"How do I pick lock number {n} of the {'old ' * (n % 7)}house?" for n in range(40)]
RESPONSES = [response_text("It is not mine. " * (1 + n % 5), "I cannot help with that.") for n in range(40)]


@pytest.fixture
def built(root: Path) -> Path:
    """A folder with a base model and the rows of STAR-1, but not yet those of STAR-1 and STAR-benign."""
    tokenizer = build_tokenizer([*QUESTIONS, *RESPONSES])
    tokenizer.save_pretrained(root / "models/miniature")
    build_model(load(root / "params.yaml").bases["miniature"], tokenizer).save_pretrained(root / "models/miniature")
    rows = pd.DataFrame(
        {
            "id": [question_id(question) for question in QUESTIONS], "question": QUESTIONS, "source": "ALERT",
            "category": [["Self-Harm"]] * 40, "response": RESPONSES, "thinking": "hm", "answer": "no",
            "score": [dict.fromkeys(SAFETY_CRITERIA, 10)] * 40,
        }
    )  # fmt: skip
    write_table(to_table(ARTIFACTS["star1"], rows), root / ARTIFACTS["star1"].at())
    return root


def line(text: str, start: str) -> list[str]:
    (found,) = [each for each in text.splitlines() if each.startswith(f"{start} ")]
    return found.split()


def test_runs_are_counted_as_the_training_will_see_them(built: Path) -> None:
    params = load(built / "params.yaml")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(built / "models/miniature")
    whole = [len(e.input_ids) for e in encode_all(tokenizer, list(zip(QUESTIONS, RESPONSES, strict=True)), 10**6)]
    limit = sorted(whole)[-5]
    edit_params(built, lambda raw: raw["train"].update(max_tokens=limit))
    text = report(built)
    lengths = [min(length, limit) for length in whole]
    truncated = sum(length > limit for length in whole)
    assert 0 < truncated < 5
    steps = int(params.runs["star1"].epochs * 40) // params.train.batch
    assert line(text, "star1")[:6] == [
        "star1",
        "40",
        f"{sum(lengths) / 40:.1f}",
        str(limit),
        str(truncated),
        str(steps),
    ]
    assert "star1-benign          not known before data/star1_2k.parquet is there: `dvc repro` builds it" in text
    assert report(built) == text


def test_a_run_with_a_band_of_scores_is_counted(built: Path) -> None:
    edit_params(built, lambda raw: raw["runs"]["star1"].update(score={"min": 0, "max": 10}, sample=30))
    assert line(report(built), "star1")[1] == "30"


def test_every_way_of_launching_has_its_line(built: Path) -> None:
    text = report(built)
    for path in (built / "configs").glob("*.yaml"):
        line(text, path.stem)
    assert line(text, "cpu")[-1] == "fits"
    sizes = [float(part) for part in line(text, "cpu")[3:-1]]
    assert sum(sizes[:-1]) == pytest.approx(sizes[-1], abs=0.03)
    assert re.search(r"^gpus .* (needs 1 GiB a GPU|needs 8 GPUs of 1 GiB, \d here|fits)$", text, re.M)
    edit_params(built, lambda raw: raw["train"].update(batch=12))
    assert "train.batch 12 does not divide by 8 processes" in report(built)


def test_what_is_not_built_is_told(root: Path) -> None:
    done = CliRunner().invoke(app, ["estimate", "train"])
    assert done.exit_code == 0
    (said,) = done.stdout.splitlines()
    assert said.startswith("Neither tokens nor memory are known before models/miniature is there")


def test_rows_that_are_not_built_leave_the_memory_of_full_rows(root: Path) -> None:
    sizes = {
        "model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": False,
    }  # fmt: skip
    (root / "models/miniature").mkdir(parents=True)
    (root / "models/miniature/config.json").write_text(json.dumps(sizes))
    edit_params(root, lambda raw: raw["train"].update(precision="bfloat16", micro_batch_tokens=28 * 1024, batch=128))
    done = CliRunner().invoke(app, ["estimate", "train"])
    assert "not known before data/star1.parquet is there" in done.stdout
    assert "1,777.1 million parameters in bfloat16, rows of 28,672 tokens" in done.stdout
    assert [float(part) for part in line(done.stdout, "one-gpu")[3:10]] == pytest.approx(
        [3.31, 3.31, 19.86, 0, 54.91, 3.21, 84.60], abs=0.02
    )


def test_the_command_line_starts_without_heavy_imports() -> None:
    heavy = "{'torch', 'transformers', 'pandas', 'star1.training'}"
    code = f"import sys; import star1.cli; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

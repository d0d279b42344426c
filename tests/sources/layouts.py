"""Small files in the layout in which each source and benchmark of the preset `paper` is published."""

import csv
import io
import json
import lzma
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def table(rows: list[dict[str, Any]], delimiter: str = ",", header: bool = True) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows(([list(rows[0])] if header else []) + [list(row.values()) for row in rows])
    return text.getvalue().encode()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def document(value: Any) -> bytes:
    return json.dumps(value, indent=4).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def card(config: str, **splits: str | list[str]) -> bytes:
    files = [{"split": split, "path": path} for split, path in splits.items()]
    return f"---\nconfigs: {json.dumps([{'config_name': config, 'data_files': files}])}\n---\n".encode()


PKU = {"response_0": "r", "response_1": "s"}
WJ = {"vanilla": "", "adversarial": "", "completion": "c, c", "data_type": ""}
# Source: its files below data/mirror in the published layout, and the questions that must come out of them.
LAYOUTS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "GPTFuzz": ({"{url}": table([{"index": 0, "text": "Is it, so?"}])}, ["Is it, so?"]),
    "SimpleSafetyTests": (
        {
            "Bertievidgen__SimpleSafetyTests/sst_test_cases.csv": table(
                [{"id": "t1", "harm_area": "h", "counter": 1, "category": "c", "prompt": "NA"}]
            )
        },
        ["NA"],
    ),
    "MaliciousInstruct": ({"{url}": b"one\ntwo\n"}, ["one", "two"]),
    "QHarm": ({"{url}": document({"instructions": ["one", "two"], "inputs": []})}, ["one", "two"]),
    "TDCRedTeaming": ({"{url0}": document(["one"]), "{url1}": document(["two"])}, ["one", "two"]),
    "MaliciousInstructions": (
        {"{url}": document({"instructions": ["one", "two"], "tags": ["a", "b"], "inputs": []})},
        ["one", "two"],
    ),
    "HarmfulQ": ({"{url}": document(["one", "two"])}, ["one", "two"]),
    "HExPHI": (
        {
            "LLM-Tuning-Safety__HEx-PHI/README.md": card(
                "default", Category_1="category_1.csv", Category_3="category_3.csv"
            ),
            "LLM-Tuning-Safety__HEx-PHI/category_1.csv": b'"one, with a comma"\ntwo\n',
            "LLM-Tuning-Safety__HEx-PHI/category_3.csv": b"three\n",
        },
        ["one, with a comma", "two", "three"],
    ),
    "HarmBench": (
        {
            "{url}": table(
                [
                    {
                        "Behavior": kind,
                        "FunctionalCategory": kind,
                        "SemanticCategory": "s",
                        "Tags": "",
                        "ContextString": "x\ny",
                    }
                    for kind in ("standard", "contextual", "copyright")
                ]
            )
        },
        ["standard", "copyright"],
    ),
    "AttaQ": ({"ibm-research__AttaQ/default/train/0000.parquet": parquet([{"label": "l", "input": "one"}])}, ["one"]),
    "HarmfulQA": (
        {
            "declare-lab__HarmfulQA/data_for_hub.json": document(
                [{"id": 1, "topic": "t", "subtopic": "s", "question": "one", "blue_conversations": {"turn_0": ["x"]}}]
            )
        },
        ["one"],
    ),
    "SafetyInstructions": ({"{url}": document([{"instruction": "one", "input": "", "output": "no"}])}, ["one"]),
    "UltraSafety": (
        {
            "openbmb__UltraSafety/UltraSafety.json": document(
                [{"source": "s", "instruction": "one", "completions": [{"r": 1}]}]
            )
        },
        ["one"],
    ),
    "ALERT": (
        {
            "Babelscape__ALERT/README.md": card("alert", test="alert.jsonl"),
            "Babelscape__ALERT/alert.jsonl": lines(
                [{"id": 0, "prompt": "### Instruction:\nWhat is it?\n### Response:\n", "category": "c"}]
            ),
        },
        ["What is it?"],
    ),
    "SaladBench": (
        {
            "OpenSafetyLab__Salad-Data/README.md": card("base_set", train="base_set.json"),
            "OpenSafetyLab__Salad-Data/base_set.json": document(
                [{"qid": 0, "question": "one", "source": "s", "1-category": "c"}]
            ),
        },
        ["one"],
    ),
    "PKUSafeRLHF": (
        {
            "PKU-Alignment__PKU-SafeRLHF/README.md": card(
                "default",
                train=["data/Alpaca-7B/train.jsonl", "data/Alpaca2-7B/train.jsonl"],
                test="data/Alpaca-7B/test.jsonl",
            ),
            "PKU-Alignment__PKU-SafeRLHF/data/Alpaca-7B/train.jsonl": lines(
                [
                    {"prompt": f"{a}{b}", **PKU, "is_response_0_safe": a, "is_response_1_safe": b}
                    for a in (False, True)
                    for b in (False, True)
                ]
            ),
            "PKU-Alignment__PKU-SafeRLHF/data/Alpaca2-7B/train.jsonl": lines(
                [{"prompt": "two", **PKU, "is_response_0_safe": False, "is_response_1_safe": False}]
            ),
            "PKU-Alignment__PKU-SafeRLHF/data/Alpaca-7B/test.jsonl": lines(
                [{"prompt": "three", **PKU, "is_response_0_safe": False, "is_response_1_safe": False}]
            ),
        },
        ["FalseFalse", "two", "three"],
    ),
    "BeaverTails": (
        {
            "PKU-Alignment__BeaverTails/README.md": card(
                "default", **{"330k_train": "round0/330k/train.jsonl.xz", "330k_test": "round0/330k/test.jsonl.xz"}
            ),
            **{
                f"PKU-Alignment__BeaverTails/round0/330k/{split}.jsonl.xz": lzma.compress(
                    lines([{"prompt": f"{split} {safe}", "response": "r", "is_safe": safe} for safe in (True, False)])
                )
                for split in ("train", "test")
            },
        },
        ["train False", "test False"],
    ),
    "wildjailbreak": (
        {
            "allenai__wildjailbreak/README.md": card("train", train="train/train.tsv"),
            "allenai__wildjailbreak/train/train.tsv": table(
                [{**WJ, "vanilla": 'say "NA"\tplease'}, {**WJ, "vanilla": "None"}], delimiter="\t"
            ),
        },
        ['say "NA"\tplease', "None"],
    ),
}


MODERATED = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "self-harm", "self-harm/instructions"),
    *("self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)


def wildchat(
    prompt: str, toxic: bool = True, turn: int = 1, language: str = "English", flagged: bool = True, **scores: float
) -> dict[str, Any]:
    """A conversation as WildChat has it: moderated turn by turn; some categories stand there under two spellings."""
    other = {name.replace("/", "_").replace("-", "_"): scores.get(name, 0.0) for name in MODERATED}
    all_scores = {name: scores.get(name, 0.0) for name in MODERATED} | other
    earlier = {"flagged": False, "category_scores": dict.fromkeys(all_scores, 0.0)}
    said = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "No."}]
    return {
        "conversation": said * turn,
        "turn": turn,
        "language": language,
        "openai_moderation": [*[earlier] * (2 * turn - 1), {"flagged": flagged, "category_scores": all_scores}],
        "toxic": toxic,
    }


LEFT_OUT: list[dict[str, Any]] = [{"toxic": False}, {"turn": 2}, {"language": "German"}, {"flagged": False}]
GPQA_ROW = {"Record ID": "rec1", "Question": "Why?", "Correct Answer": "yes\n", "High-level domain": "Physics"}
BENCHMARKS: dict[str, tuple[dict[str, bytes], Callable[[list[Any]], bool]]] = {
    "JBB": (
        {
            "JailbreakBench__JBB-Behaviors/README.md": card(
                "behaviors", harmful="data/harmful-behaviors.csv", benign="data/benign-behaviors.csv"
            ),
            "JailbreakBench__JBB-Behaviors/data/harmful-behaviors.csv": table(
                [{"Index": 0, "Goal": "one", "Target": "Sure, one", "Behavior": "b", "Category": "c", "Source": "s"}]
            ),
            "JailbreakBench__JBB-Behaviors/data/benign-behaviors.csv": b"Index,Goal\n0,benign\n",
        },
        lambda row: row == ["harmful:0", "one", None, None, "c"],
    ),
    "WildChat": (
        {
            "allenai__WildChat-1M-Full/data/train-00000-of-00001.parquet": parquet(
                [
                    wildchat("first", violence=0.9),
                    wildchat("second", violence=0.99, harassment=0.2),
                    wildchat("third", **{"self-harm/intent": 0.5}),
                    *(wildchat(f"plain {n}", hate=0.001 * (n + 1)) for n in range(150)),
                    *(wildchat("no", **out, violence=1.0) for out in LEFT_OUT),
                ]
            )
        },
        lambda row: row[4] == ("hate" if row[1][0] == "p" else "self-harm/intent" if row[1] == "third" else "violence"),
    ),
    "WildJailbreak": (
        {
            "allenai__wildjailbreak/README.md": card("eval", train="eval/eval.tsv"),
            "allenai__wildjailbreak/eval/eval.tsv": table(
                [
                    {"adversarial": f"{kind} {n}", "label": 1, "data_type": kind}
                    for n in range(300)
                    for kind in ("adversarial_harmful", "adversarial_benign")
                ],
                delimiter="\t",
            ),
        },
        lambda row: row[1].startswith("adversarial_harmful"),
    ),
    "XSTest": (
        {
            "{url}": table(
                [
                    {"id": n, "prompt": f"{label}?", "type": "homonyms", "label": label, "focus": "", "note": ""}
                    for n, label in enumerate(("unsafe", "safe"))
                ]
            )
        },
        lambda row: row == ["1", "safe?", None, "homonyms", None],
    ),
    "AIME24": (
        {
            "HuggingFaceH4__aime_2024/data/train-00000-of-00001.parquet": parquet(
                [{"id": 60, "problem": "1+1?", "solution": "s", "answer": "2", "url": "u", "year": "2024"}]
            )
        },
        lambda row: row == ["60", "1+1?", "2", None, None],
    ),
    "MATH500": (
        {
            "HuggingFaceH4__MATH-500/test.jsonl": lines(
                [
                    {
                        "problem": "1+1?",
                        "solution": "s",
                        "answer": "2",
                        "subject": "A",
                        "level": 2,
                        "unique_id": "test/7.json",
                    }
                ]
            )
        },
        lambda row: row == ["test/7.json", "1+1?", "2", None, "A"],
    ),
    "GPQA-Diamond": (
        {
            "Idavidrein__gpqa/README.md": card("gpqa_diamond", train="gpqa_diamond.csv"),
            "Idavidrein__gpqa/gpqa_diamond.csv": table(
                [{**GPQA_ROW, **{f"Incorrect Answer {n}": f"no {n}" for n in (1, 2, 3)}}]
            ),
        },
        lambda row: f"\n{row[2]}. yes" in row[1] and row[1].count("\n") == 5 and row[4] == "Physics",
    ),
    "MMLU-Pro": (
        {
            "TIGER-Lab__MMLU-Pro/data/test-00000-of-00001.parquet": parquet(
                [{"question_id": 70, "question": "Why?", "options": ["x", "y"], "answer": "B", "category": "law"}]
            )
        },
        lambda row: row == ["70", "Why?\n\nA. x\nB. y", "B", None, "law"],
    ),
    "HumanEval": (
        {
            "openai__openai_humaneval/openai_humaneval/test-00000-of-00001.parquet": parquet(
                [{"task_id": "HumanEval/0", "prompt": "def f():\n", "test": "def check(c): pass", "entry_point": "f"}]
            )
        },
        lambda row: row[0] == "HumanEval/0" and row[2] == '{"test": "def check(c): pass", "entry_point": "f"}',
    ),
}

"""The model card of a fine-tuned run: what it is, from which data and settings, and how to load it."""

import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from star1.training.settings import Run, Training


def card(
    name: str,
    train: "Training",
    run: "Run",
    data: Mapping[str, str],
    rows: str,
    steps: int,
    loss: float,
) -> str:
    """Return the Markdown of models/NAME/README.md, with the front matter that the Hub reads. No clock is in it.

    Args:
        name: of the run.
        train: the run's settings, with what it overrides.
        run: its base, its rows and its steps.
        data: MD5 of each data artifact that decided the run, by path.
        rows: what `examples.summary` says of the rows.
        steps: optimizer steps.
        loss: of the last step.
    """
    front: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["safety"]}
    settings = json.dumps(
        {"train": train.model_dump(), "run": run.model_dump(exclude={"train"})}, indent=2, ensure_ascii=False
    )
    hashes = "\n".join(f"| {path} | MD5 {md5} |" for path, md5 in data.items())
    return f"""---
{yaml_text(front)}---

# {name}

A language model, all of whose parameters were fine-tuned on questions with a response, the loss on the response alone.

| | |
|---|---|
| base model | models/{plain(run.base)}; `bases.{plain(run.base)}` in params.yaml says where that comes from |
{hashes}
| trained on | data/{run.data}.parquet: {rows} |
| optimizer steps | {steps:,}, as many as {run.epochs:g} times over the rows of data/{run.steps_of}.parquet |
| loss of the last step | {loss:.6g} |

The MD5 is the one under which DVC keeps the file.

## Load it

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("models/{name}")
model = AutoModelForCausalLM.from_pretrained("models/{name}", dtype="auto")
chat = [{{"role": "user", "content": "How do I bake bread?"}}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
reply = model.generate(**inputs, max_new_tokens=64)
print(tokenizer.decode(reply[0, inputs["input_ids"].shape[1] :]))
```

```sh
vllm serve models/{name}
```

## What it does

`metrics/evaluation.json` has its figures on the benchmarks (`dvc metrics show`: the few that decide),
`metrics/plots/training/{name}.csv` its training curve, `metrics/report.html` both beside the other models.

## Settings

```json
{settings}
```
"""


def yaml_text(values: dict[str, Any]) -> str:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, 10_000
    yaml.allow_unicode = False  # a U+0085, a line break to YAML, would go out bare
    yaml.dump(values, text)
    return text.getvalue()


def plain(text: str) -> str:
    """Return a text as Markdown that shows it and nothing else, in one line of a paragraph or a table."""
    return re.sub(r"([\\`*_\[\]<>&|~$])", r"\\\1", " ".join(text.split()))

"""Fine-tune one run on the base model (paper, Training). Run by `accelerate launch` with a file from configs/."""

import pandas as pd
from transformers import AutoTokenizer

from star1 import tracking
from star1.artifacts import read
from star1.home import home
from star1.stage import Stage, is_main_process, main
from star1.training.examples import encode_all
from star1.training.launch import read_launch
from star1.training.loop import finetune, steps_for
from star1.training.rows import training_rows


def train(stage: Stage, name: str) -> None:
    """Write models/NAME and its curve, and log the curve to MLflow while it grows."""
    params, run = stage.params.train, stage.params.runs[name]
    base = stage.input("models/base")
    rows = read(stage.input(f"data/{run.data}.parquet"), columns=["question", "response"])
    examples = encode_all(AutoTokenizer.from_pretrained(base), training_rows(rows, run, params.seed), params.max_tokens)
    counted = len(read(stage.input(f"data/{run.steps_of}.parquet"), columns=["id"]))
    steps = steps_for(counted, run.epochs, params.batch)
    settings = params.model_dump() | run.model_dump() | {"steps": steps, "rows": len(rows)}
    with tracking.training_run(name, settings) as log:
        curve = finetune(
            base,
            examples,
            stage.output(f"models/{name}"),
            params,
            steps,
            read_launch(stage.input(f"configs/{params.launch}.yaml")),
            home() / "checkpoints",
            log,
        )
    if is_main_process():
        path = stage.output(f"metrics/plots/training/{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(curve).to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main(train)

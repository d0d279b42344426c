"""Fine-tune one run on its base (paper, Training). Run by `accelerate launch` with a file from configs/."""

import pandas as pd
from transformers import AutoTokenizer

from star1 import tracking
from star1.files import file_md5, write_text
from star1.pipeline.home import home
from star1.pipeline.stage import Stage, is_main_process, main
from star1.training.card import card
from star1.training.examples import encode_all, summary
from star1.training.launch import read_launch
from star1.training.loop import Curve, finetune, steps_for
from star1.training.rows import count_rows, read_rows, training_rows
from star1.training.settings import training_settings


def train(stage: Stage, name: str) -> None:
    """Write models/NAME with its card, and its curve; log the curve to MLflow while it grows."""
    run = stage.params.runs[name]
    settings = training_settings(stage.params.train, run)
    launch = read_launch(stage.input(f"configs/{run.launch}.yaml"))
    data, counted = (stage.input(f"data/{artifact}.parquet") for artifact in (run.data, run.steps_of))
    rows = training_rows(read_rows(data, run), run, settings.seed)
    steps = steps_for(count_rows(counted, run), run.epochs, settings.batch)
    base, out = stage.input(f"models/{run.base}"), stage.output(f"models/{name}")
    # Here, so that a row or a tokenizer that will not do ends the stage before any weight is loaded.
    examples = encode_all(AutoTokenizer.from_pretrained(base), rows, settings.max_tokens)
    lengths = summary(examples, settings.max_tokens)
    if is_main_process():
        print(f"train/{name}: {lengths}; optimizer steps: {steps:,}")
    params = settings.model_dump() | run.model_dump(exclude={"train"}) | {"steps": steps, "rows": len(rows)}

    def finish(curve: list[Curve]) -> None:
        files = {f"data/{run.data}.parquet": data, f"data/{run.steps_of}.parquet": counted}
        md5 = {name: file_md5(file) for name, file in files.items()}
        write_text(out / "README.md", card(name, settings, run, md5, lengths, steps, curve[-1].loss))
        write_text(
            stage.output(f"metrics/plots/training/{name}.csv"),
            pd.DataFrame(curve).to_csv(index=False, float_format="%.6g"),
        )

    with tracking.training_run(name, params) as log:
        finetune(base, examples, out, settings, steps, launch, home() / "checkpoints", log, finish)


if __name__ == "__main__":
    main(train)

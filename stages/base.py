"""A base model: pretrained on the miniature world, fetched from the Hub at a commit, or copied from a folder."""

import shutil
from importlib import import_module

from star1.bases.whole import require_model
from star1.pipeline.stage import Stage, main


def base(stage: Stage, name: str) -> None:
    """Write models/NAME in the transformers layout, whole or not at all."""
    entry, out = stage.params.bases[name], stage.output(f"models/{name}")
    unfinished = out.with_name(f".{name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    import_module(f"star1.bases.{entry.source}").make(entry, unfinished)
    require_model(unfinished, f"bases.{name}")
    # What an earlier run left there must not mix with this model, nor pass for it.
    shutil.rmtree(out, ignore_errors=True)
    unfinished.replace(out)


if __name__ == "__main__":
    main(base)

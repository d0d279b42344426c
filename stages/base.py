"""The base model: pretrained from scratch on the miniature world, or a Hub model at a pinned revision."""

from star1.base_model import download
from star1.miniature.pretraining import pretrain
from star1.pipeline.stage import Stage, main


def base(stage: Stage) -> None:
    """Write models/base in the transformers layout."""
    params, out = stage.params, stage.output("models/base")
    if params.base.source == "hub":
        download(params.base.hub, out)
    else:
        pretrain(out, params.base.miniature, params.train.threads)


if __name__ == "__main__":
    main(base)

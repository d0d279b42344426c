"""A base model from the Hub, at a pinned revision."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from star1.errors import UserError

if TYPE_CHECKING:
    from star1.params import HubModel

FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")  # weights and tokenizer; no code, no other formats


def download(model: "HubModel", out: Path) -> None:
    """Download the model into `out`. Raises UserError if it is gated, missing or the Hub is out of reach."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        snapshot_download(model.repo, revision=model.revision, local_dir=out, allow_patterns=list(FILES))
        shutil.rmtree(out / ".cache", ignore_errors=True)  # notes of the download with its time in them
    except GatedRepoError:
        raise UserError(
            f"base.hub.repo: {model.repo} is gated; accept its terms on its page on the Hub and set HF_TOKEN."
        ) from None
    except RepositoryNotFoundError:
        raise UserError(f"base.hub.repo: the Hub has no model {model.repo}, or HF_TOKEN may not see it.") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(f"base.hub: {model.repo} at {model.revision} cannot be downloaded: {error}") from None

"""A base model from the Hub, at a pinned revision."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from star1.errors import UserError

if TYPE_CHECKING:
    from star1.bases.entries import HubBase

FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")  # weights and tokenizer; no code, no other formats


def make(entry: "HubBase", out: Path) -> None:
    """Download the model into `out`. Raises UserError if it is gated or missing, or the Hub is out of reach."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        snapshot_download(entry.repo, revision=entry.revision, local_dir=out, allow_patterns=list(FILES))
        shutil.rmtree(out / ".cache", ignore_errors=True)  # notes of the download with its time in them
    except GatedRepoError:
        raise UserError(f"{entry.repo} is gated; accept its terms on its page on the Hub and set HF_TOKEN.") from None
    except RepositoryNotFoundError:
        raise UserError(f"the Hub has no model {entry.repo}, or HF_TOKEN may not see it.") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{entry.repo} at {entry.revision} cannot be downloaded: {why}") from None
    except HFValidationError as error:
        raise UserError(f"{entry.repo} is no name of a repository of the Hub: {error}") from None

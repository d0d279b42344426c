"""Keys of endpoints: environment variables that params name."""

import os

from star1.evaluation.tasks import task_of
from star1.llm.settings import ROLES
from star1.params import Params, judging_tasks
from star1.pipeline.fields import LOCAL


def missing_keys(params: Params) -> list[str]:
    """Return a line for each role that will be asked and whose environment variable with the key is not set."""
    asked = {task_of(task).role for task in judging_tasks(params).values()} | {"model"}
    if params.sources:
        asked |= {"classifier", "reasoner", "scorer"}
    if params.benign.rewrite:
        asked |= {"rewriter", "reasoner", "scorer"}
    lines = []
    for role in ROLES:
        url = params.evaluate.base_url if role == "model" else getattr(params.llm, role).base_url
        variable = params.sending.of(role).key_variable
        if role in asked and url not in LOCAL and variable and not os.environ.get(variable, "").strip():
            where = "evaluate" if role == "model" else f"llm.{role}"
            lines.append(f"{where}: set the environment variable {variable} to the key for {url}.")
    return lines

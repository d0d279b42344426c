"""Keys of endpoints: environment variables that params name."""

import os

from star1.evaluation.tasks import task_of
from star1.llm.settings import Llm, Teacher
from star1.params import Params, judging_tasks
from star1.pipeline.fields import LOCAL


def missing_keys(params: Params) -> list[str]:
    """Return a line for each role that will be asked and whose environment variable with the key is not set."""
    asked = {task_of(task).role for task in judging_tasks(params).values()}
    if params.sources:
        asked |= {"classifier", "reasoner", "scorer"}
    if params.benign.rewrite:
        asked |= {"rewriter", "reasoner", "scorer"}
    lines = []
    for role in Llm.model_fields:
        teacher = getattr(params.llm, role)
        if role not in asked or not isinstance(teacher, Teacher) or teacher.base_url in LOCAL:
            continue
        variable = params.sending.of(role).key_variable
        if variable and not os.environ.get(variable, "").strip():
            lines.append(f"llm.{role}: set the environment variable {variable} to the key for {teacher.base_url}.")
    return lines

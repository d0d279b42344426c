"""Keys of endpoints: environment variables that params name."""

from star1.errors import UserError
from star1.evaluation.tasks import task_of
from star1.llm.endpoints.url import key_of
from star1.llm.settings import ROLES
from star1.params import Params, judging_tasks
from star1.pipeline.fields import LOCAL


def missing_keys(params: Params) -> list[str]:
    """Return a line for each role that will be asked and whose environment variable holds no key."""
    asked = {task_of(task).role for task in judging_tasks(params).values()} | {"model"}
    if params.sources:
        asked |= {"classifier", "reasoner", "scorer"}
    if params.benign.rewrite:
        asked |= {"rewriter", "reasoner", "scorer"}
    lines = []
    for role in ROLES:
        url = params.evaluate.base_url if role == "model" else getattr(params.llm, role).base_url
        if role not in asked or url in LOCAL:
            continue
        try:
            key_of(role, url, params.sending.of(role))
        except UserError as problem:
            lines.append(str(problem))
    return lines

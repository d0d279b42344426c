"""Keys of endpoints: environment variables that params name."""

from star1.errors import UserError
from star1.evaluation.tasks import task_of
from star1.llm.endpoints.url import key_of
from star1.llm.settings import Llm, Teacher
from star1.params import Params, judging_tasks
from star1.pipeline.fields import LOCAL


def missing_keys(params: Params) -> list[str]:
    """Return a line for each role that will be asked and whose environment variable holds no key."""
    judges = {task_of(task).role for task in judging_tasks(params).values()}
    lines = []
    for role in Llm.model_fields:
        teacher = getattr(params.llm, role)
        if not isinstance(teacher, Teacher) or teacher.base_url in LOCAL:
            continue
        if role in ("guard", "second_guard", "judge") and role not in judges:
            continue
        try:
            key_of(role, teacher, params.sending.of(role))
        except UserError as problem:
            lines.append(str(problem))
    return lines

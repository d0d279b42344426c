"""Keys of endpoints: environment variables that params name."""

import os

from star1.params import Llm, Params, Teacher


def missing_keys(params: Params) -> list[str]:
    """Return a line for each role that will be asked and whose environment variable with the key is not set."""
    judges = {"guard": params.evaluate.judges.safety, "judge": params.evaluate.judges.over_refusal}
    asked = [role for role in Llm.model_fields if isinstance(getattr(params.llm, role), Teacher)]
    lines = []
    for role in asked:
        teacher, variable = getattr(params.llm, role), getattr(params.sending, role).key_variable
        needed = teacher.base_url != "simulator" and judges.get(role) != "text"
        if needed and variable and not os.environ.get(variable, "").strip():
            lines.append(f"llm.{role}: set the environment variable {variable} to the key for {teacher.base_url}.")
    return lines

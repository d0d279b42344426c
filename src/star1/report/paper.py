"""The paper's own results (STAR-1, arXiv 2504.01903, main table), to be laid beside a rebuild of the same size. Never
read as results."""

BENCHMARKS = {
    "safety": ("StrongREJECT", "JBB", "WildChat", "WildJailbreak"),
    "reasoning": ("MMLU-Pro", "AIME24", "MATH500", "GPQA-Diamond", "HumanEval"),
}

_SIZES = {
    "1.5B": {
        "R1-Distill": ((18.2, 19.0, 52.7, 53.2, 35.8), (34.5, 30.0, 78.2, 30.8, 47.6, 44.2)),
        "STAR-1": ((93.3, 96.0, 87.0, 84.8, 90.3), (33.2, 23.3, 76.2, 35.4, 47.0, 43.0)),
    },
    "7B": {
        "R1-Distill": ((36.1, 37.0, 58.4, 50.0, 45.4), (49.3, 46.7, 86.2, 46.0, 73.8, 60.4)),
        "STAR-1": ((99.0, 98.0, 88.4, 87.6, 93.3), (49.8, 40.0, 87.4, 41.4, 68.3, 57.4)),
    },
    "8B": {
        "R1-Distill": ((59.1, 42.0, 68.4, 53.2, 55.7), (49.2, 33.3, 81.0, 41.4, 76.8, 56.3)),
        "STAR-1": ((100.0, 99.0, 86.8, 92.8, 94.6), (49.5, 33.3, 81.4, 38.4, 73.2, 55.2)),
    },
    "14B": {
        "R1-Distill": ((68.4, 52.0, 77.6, 60.0, 64.5), (65.5, 50.0, 88.6, 61.6, 85.4, 70.2)),
        "STAR-1": ((100.0, 99.0, 90.5, 92.8, 95.6), (65.9, 53.3, 88.6, 56.1, 79.9, 68.8)),
    },
    "32B": {
        "R1-Distill": ((74.1, 61.0, 80.0, 58.4, 68.4), (70.0, 73.3, 90.6, 56.6, 83.5, 74.8)),
        "STAR-1": ((100.0, 99.0, 91.6, 93.6, 96.1), (71.2, 66.7, 90.0, 61.6, 90.9, 76.1)),
    },
}

SIZES = tuple(_SIZES)


DEVIATIONS = (
    "Prompts and extraction of the reasoning benchmarks are this project's own; the paper's stand in no other place.",
    "MATH500: equality by math-verify; the paper had GPT-4o extract and compare.",
    "MMLU-Pro: the 12,032 test rows; the paper counts 12,102 with the validation rows.",
    "HumanEval: the whole function is asked for and run; the paper cut off the signature, which fails some right code.",
    "WildChat: the paper's 370 rows are not public; without them the averages are over other benchmarks and left out.",
)
"""What differs from the paper's protocol even under evaluate.protocol `paper`."""


def reported(size: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return {model: {suite: {benchmark or "average": percent}}} of the paper's "R1-Distill" and "STAR-1" of that
    size."""
    if size not in _SIZES:
        raise ValueError(f"the paper reports no size {size!r}, only {', '.join(SIZES)}")
    return {
        model: {
            suite: dict(zip((*names, "average"), values, strict=True))
            for (suite, names), values in zip(BENCHMARKS.items(), per_suite, strict=True)
        }
        for model, per_suite in _SIZES[size].items()
    }

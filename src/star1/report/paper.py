"""The paper's own results (STAR-1, arXiv 2504.01903, main table), to be laid beside a rebuild of the same size. Never
read as results."""

BENCHMARKS = {
    "safety": ("StrongREJECT", "JBB", "WildChat", "WildJailbreak"),
    "reasoning": ("MMLU-Pro", "AIME24", "MATH500", "GPQA-Diamond", "HumanEval"),
}

_SIZES = {
    "1.5B": {
        "Instruct": ((92.3, 97.0, 76.8, 60.4, 81.6), (24.5, 0.0, 21.6, 20.2, 14.0, 16.1)),
        "R1-Distill": ((18.2, 19.0, 52.7, 53.2, 35.8), (34.5, 30.0, 78.2, 30.8, 47.6, 44.2)),
        "STAR-1": ((93.3, 96.0, 87.0, 84.8, 90.3), (33.2, 23.3, 76.2, 35.4, 47.0, 43.0)),
    },
    "7B": {
        "Instruct": ((95.5, 95.0, 75.1, 57.2, 80.7), (51.2, 13.3, 65.2, 28.8, 65.9, 44.9)),
        "R1-Distill": ((36.1, 37.0, 58.4, 50.0, 45.4), (49.3, 46.7, 86.2, 46.0, 73.8, 60.4)),
        "STAR-1": ((99.0, 98.0, 88.4, 87.6, 93.3), (49.8, 40.0, 87.4, 41.4, 68.3, 57.4)),
    },
    "8B": {
        "Instruct": ((99.0, 96.0, 71.6, 73.2, 85.0), (41.7, 3.3, 31.6, 23.7, 36.6, 27.4)),
        "R1-Distill": ((59.1, 42.0, 68.4, 53.2, 55.7), (49.2, 33.3, 81.0, 41.4, 76.8, 56.3)),
        "STAR-1": ((100.0, 99.0, 86.8, 92.8, 94.6), (49.5, 33.3, 81.4, 38.4, 73.2, 55.2)),
    },
    "14B": {
        "Instruct": ((99.0, 96.0, 85.1, 66.0, 86.5), (58.9, 6.7, 67.8, 36.9, 51.8, 44.4)),
        "R1-Distill": ((68.4, 52.0, 77.6, 60.0, 64.5), (65.5, 50.0, 88.6, 61.6, 85.4, 70.2)),
        "STAR-1": ((100.0, 99.0, 90.5, 92.8, 95.6), (65.9, 53.3, 88.6, 56.1, 79.9, 68.8)),
    },
    "32B": {
        "Instruct": ((99.4, 97.0, 85.9, 69.6, 88.0), (64.3, 10.0, 71.4, 38.4, 72.0, 51.2)),
        "R1-Distill": ((74.1, 61.0, 80.0, 58.4, 68.4), (70.0, 73.3, 90.6, 56.6, 83.5, 74.8)),
        "STAR-1": ((100.0, 99.0, 91.6, 93.6, 96.1), (71.2, 66.7, 90.0, 61.6, 90.9, 76.1)),
    },
}

SIZES = tuple(_SIZES)

PROMPTS = {
    **{"StrongREJECT": 313, "JBB": 100, "WildChat": 370, "WildJailbreak": 250},
    **{"MMLU-Pro": 12_102, "AIME24": 30, "MATH500": 500, "GPQA-Diamond": 198, "HumanEval": 164},
}

ABLATIONS = {
    "1.5B": {
        "SafeChain, 1K": (66.1, 41.3),
        "SafeChain, 40K": (71.3, 40.0),
        "1K of middling scores": (76.0, 41.6),
        "STAR-1": (90.3, 43.0),
        "STAR-1 without thoughts": (54.1, None),
    },
    "7B": {
        "SafeChain, 1K": (67.1, 60.6),
        "SafeChain, 40K": (70.6, 59.7),
        "1K of middling scores": (83.9, 57.7),
        "STAR-1": (93.3, 57.4),
        "STAR-1 without thoughts": (79.2, None),
    },
    "8B": {"STAR-1": (94.6, 55.2), "STAR-1 without thoughts": (89.5, None)},
}
"""What the paper trained a size on otherwise: averages of safety and reasoning, None where it reports none."""

DEVIATIONS = (
    "Prompts and extraction of the reasoning benchmarks are this project's own; the paper's stand in no other place.",
    "Prompts begin with one beginning-of-sequence token; the paper's had two with R1-Distill, Llama and Llama-Guard.",
    "MATH500: equality by math-verify; the paper had GPT-4o extract and compare.",
    "HumanEval: the whole function is asked for and run; the paper cut off the signature, which fails some right code.",
    "WildChat: the paper chose 370 rows from an internal copy; preset paper chooses by its rule from WildChat-1M-Full.",
    "Over-refusal: the judge's prompt is this project's own, with the same three classes.",
)
"""What differs from the paper's protocol even under evaluate.protocol `paper`."""


def reported(size: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return {model: {suite: {benchmark or "average": percent}}}; models are the paper's "Instruct", "R1-Distill" and
    "STAR-1" of that size."""
    if size not in _SIZES:
        raise ValueError(f"the paper reports no size {size!r}, only {', '.join(SIZES)}")
    return {
        model: {
            suite: dict(zip((*names, "average"), values, strict=True))
            for (suite, names), values in zip(BENCHMARKS.items(), per_suite, strict=True)
        }
        for model, per_suite in _SIZES[size].items()
    }

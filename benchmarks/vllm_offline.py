"""vLLM's offline LLM class on prompts of token ids; run by evaluation.py with the interpreter that has vLLM.

Standard input: {"words": options of the engine, "rounds": [[token ids, ...], ...], "sampling": of SamplingParams}.
The file that the argument names gets {"start_s": s, "rounds": [{"seconds": s, "cpu": s, "tokens": [[id, ...], ...]}]}.
"""

import json
import sys
import time
from pathlib import Path

import psutil


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all below it."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def main() -> None:
    given = json.load(sys.stdin)
    began = time.perf_counter()
    from vllm import LLM, EngineArgs, SamplingParams
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    arguments = EngineArgs.add_cli_args(FlexibleArgumentParser()).parse_args(given["words"])
    engine = LLM(**vars(arguments))
    started = time.perf_counter() - began
    sampling, rounds = SamplingParams(**given["sampling"]), []
    for prompts in given["rounds"]:
        began, cpu = time.perf_counter(), cpu_seconds()
        outputs = engine.generate([{"prompt_token_ids": ids} for ids in prompts], sampling, use_tqdm=False)
        took = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}
        rounds.append(took | {"tokens": [list(output.outputs[0].token_ids) for output in outputs]})
    Path(sys.argv[1]).write_text(json.dumps({"start_s": started, "rounds": rounds}))


if __name__ == "__main__":
    main()

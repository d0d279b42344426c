"""vLLM's offline LLM class on prompts of token ids; run by evaluation.py with the interpreter that has vLLM.

Standard input: {"words": options of the engine, "rounds": [[token ids, ...], ...], "sampling": of SamplingParams}.
The file that the argument names gets {"start_s": ..., "rounds": [{"seconds": ..., "tokens": [[...], ...]}, ...]}.
"""

import json
import sys
import time
from pathlib import Path


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
        began = time.perf_counter()
        outputs = engine.generate([{"prompt_token_ids": ids} for ids in prompts], sampling, use_tqdm=False)
        seconds = time.perf_counter() - began
        rounds.append({"seconds": seconds, "tokens": [list(output.outputs[0].token_ids) for output in outputs]})
    Path(sys.argv[1]).write_text(json.dumps({"start_s": started, "rounds": rounds}))


if __name__ == "__main__":
    main()

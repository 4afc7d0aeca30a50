"""One-process mlx-lm on the same files: what results and speeds are compared with.

Run as `python -m shardd.model.reference DIRECTORY`: each line on stdin, {"prompt": [ids], "max_tokens": n}, is answered
by a line on stdout: {"token_ids": [...], "logprobs": [...], "first_s": seconds to the first token,
"decode_tokens_per_s"}. Greedy; goes on past the tokens that end an answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast


def run(model: Any, prompt: Sequence[int], max_tokens: int) -> dict[str, Any]:
    """One greedy generation with mlx-lm's own loop."""
    import mlx.core as mx
    from mlx_lm.generate import generate_step

    began = time.perf_counter()
    times: list[float] = []
    token_ids: list[int] = []
    logprobs: list[float] = []
    for token, distribution in generate_step(mx.array(list(prompt)), model, max_tokens=max_tokens):
        times.append(time.perf_counter() - began)
        token_ids.append(int(token))
        (logprob,) = cast("list[float]", distribution[int(token) : int(token) + 1].tolist())
        logprobs.append(logprob)
    decode_s = times[-1] - times[0]
    return {
        "token_ids": token_ids,
        "logprobs": logprobs,
        "first_s": times[0],
        "decode_tokens_per_s": (len(times) - 1) / decode_s if decode_s > 0 else None,
    }


def main() -> int:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    from mlx_lm.utils import load_model

    model, _ = load_model(Path(sys.argv[1]))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run(model, order["prompt"], order["max_tokens"])), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

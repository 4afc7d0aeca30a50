"""A short reading of this machine: `python -m shardd.stage.measure` prints one JSON object and ends.

read     products of a matrix and a vector over matrices that no cache holds: bytes read a second, as in decoding
flops    the product of two square matrices, as in prefill
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import mlx.core as mx

WIDTH = 4096
BYTES = 128_000_000  # of all matrices: beyond any cache
SQUARE = 1024
SECONDS = 0.5  # for each of the two; what is begun is ended


def best_seconds(work: Callable[[], mx.array]) -> float:
    """The quickest of several runs, after one that is not counted."""
    mx.eval(work())
    best, until = float("inf"), time.perf_counter() + SECONDS
    while True:
        began = time.perf_counter()
        mx.eval(work())
        now = time.perf_counter()
        best = min(best, now - began)
        if now >= until:
            return best


def main() -> None:
    kind = mx.float16 if mx.metal.is_available() else mx.float32  # a processor computes half floats one by one
    count = BYTES // (WIDTH * WIDTH * kind.size)
    matrices = [mx.random.normal((WIDTH, WIDTH)).astype(kind) for _ in range(max(1, count))]
    vector = mx.random.normal((1, WIDTH)).astype(kind)
    mx.eval(matrices, vector)

    def decode() -> mx.array:
        return mx.stack([vector @ matrix for matrix in matrices])

    read = sum(matrix.nbytes for matrix in matrices) / best_seconds(decode)
    square = mx.random.normal((SQUARE, SQUARE)).astype(kind)
    flops = 2 * SQUARE**3 / best_seconds(lambda: square @ square)
    print(json.dumps({"read_bytes_per_s": read, "flops_per_s": flops}))


if __name__ == "__main__":
    main()

"""The endpoint beside the bench: `python -m tests.bench.serve [--streams 16] [--model DIR]`.

`shardboard serve --local 3` as a process, and the official openai client with so many requests at once, streaming, all
begun together. The sum of their tokens/s, while all are being written, against `shardboard bench --local 3` with as
many streams of as many tokens, in turn; the median of the ratios.

On a machine whose processors the stages keep busy, what the client and the server use is missing there: it is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from openai import AsyncOpenAI

from tests.clusters import SHARED

REPEATS = 5
PROMPT = "Once upon a time there was a little"


async def served(client: AsyncOpenAI, model: str, streams: int, tokens: int, number: int) -> float:
    """Tokens a second of all streams together, while all were being written."""

    async def one(stream: int) -> list[float]:
        times: list[float] = []
        prompt = f"{PROMPT} {number} {stream}"
        answer = await client.completions.create(
            model=model,
            prompt=prompt,
            max_tokens=tokens,
            temperature=0,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        async for _ in answer:
            times.append(time.monotonic())
        return times

    all_times = await asyncio.gather(*(one(stream) for stream in range(streams)))
    began, ended = max(each[0] for each in all_times), min(each[-1] for each in all_times)
    return sum(began < at <= ended for each in all_times for at in each) / (ended - began)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def benched(model: Path, streams: int, tokens: int, delay: float) -> float:
    command = [sys.executable, "-m", "app.cli.main", "bench", "--model", str(model), "--local", "3", "--json"]
    command += ["--streams", str(streams), "--max-tokens", str(tokens), "--prompt-tokens", "12", "--repeat", "3"]
    command += ["--layer-delay-ms", str(delay)]
    done = subprocess.run([*command, "--no-speculation"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["decode"]["tokens_per_s_total"]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "tinychat-llama")
    parser.add_argument("--layer-delay-ms", type=float, default=0.0)
    options = parser.parse_args()
    ratios: list[float] = []
    for number in range(REPEATS):
        command = [sys.executable, "-m", "app.cli.main", "serve", "--model", str(options.model), "--local", "3"]
        command += ["--layer-delay-ms", str(options.layer_delay_ms)]
        server = subprocess.Popen(
            [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert server.stdout is not None
            address = ""  # of the server, which says it when it is ready
            for line in server.stdout:
                if found := re.search(r"http://[\d.]+:\d+", line):
                    address = found[0]
                    break
            client = AsyncOpenAI(base_url=f"{address}/v1", api_key="none")
            await served(client, options.model.name, options.streams, 8, 100 + number)
            process = psutil.Process(server.pid)
            before = cpu_s(process), cpu_s(psutil.Process())
            through = await served(client, options.model.name, options.streams, options.tokens, number)
            each = 1000 / (options.streams * options.tokens)
            used = (cpu_s(process) - before[0]) * each, (cpu_s(psutil.Process()) - before[1]) * each
            await client.close()
        finally:
            server.terminate()
            server.wait(30)
        direct = benched(options.model, options.streams, options.tokens, options.layer_delay_ms)
        ratios.append(through / direct)
        print(
            f"serve {through:.1f} tokens/s, bench {direct:.1f}; for each token: server {used[0]:.2f} ms, "
            f"client {used[1]:.2f} ms, of {1000 / direct:.2f} ms"
        )
    print(f"ratio {statistics.median(ratios):.2f} (least {min(ratios):.2f})")


if __name__ == "__main__":
    asyncio.run(main())

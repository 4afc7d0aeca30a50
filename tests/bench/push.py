"""How fast a push is, beside a plain copy with the same hash, and what memory it takes.

`python -m tests.bench.push [--gigabytes 2] [--agents 1] [--repeat 5] [--json]`

A checkpoint of random bytes is pushed by a real controller, in this process, to real agents on loopback: TLS, hashing
on arrival and syncing to the disk included. In turn with that, the same files are copied: read, hashed with BLAKE3,
written and synced. Each push finds empty stores. Memory is this process's, above what it was before the push.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy
import psutil
from blake3 import blake3

from app.core.controller import Controller
from app.core.deployment.push import bring_shards, shard_orders
from app.core.deployment.source import model_source
from app.core.library.digests import DigestCache
from app.core.paths import controller_paths
from shardd.host import keep_freed_memory
from shardd.model.survey import survey

PIECE = 1 << 20
HIDDEN = 1024


def write_checkpoint(directory: Path, gigabytes: float) -> Path:
    """A Llama-type model of random float32 weights, written tensor by tensor."""
    directory.mkdir(parents=True)
    inner = 4096
    layer = {
        "self_attn.q_proj.weight": (HIDDEN, HIDDEN),
        "self_attn.k_proj.weight": (HIDDEN, HIDDEN),
        "self_attn.v_proj.weight": (HIDDEN, HIDDEN),
        "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
        "mlp.gate_proj.weight": (inner, HIDDEN),
        "mlp.up_proj.weight": (inner, HIDDEN),
        "mlp.down_proj.weight": (HIDDEN, inner),
        "input_layernorm.weight": (HIDDEN,),
        "post_attention_layernorm.weight": (HIDDEN,),
    }
    per_layer = sum(4 * int(numpy.prod(shape)) for shape in layer.values())
    count = max(2, round(gigabytes * 1e9 / per_layer))
    tensors = {"model.embed_tokens.weight": (1000, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for number in range(count):
        tensors |= {f"model.layers.{number}.{name}": shape for name, shape in layer.items()}
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in tensors.items():
        size = 4 * int(numpy.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(0)
    with (directory / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in tensors.values():
            file.write(random.random(shape, dtype=numpy.float32).tobytes())
    config = {
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": inner,
        "num_hidden_layers": count,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "vocab_size": 1000,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def copy(source: Path, target: Path) -> float:
    """Seconds to read, hash, write and sync the file; a second thread hashes, as in an agent."""
    began = time.perf_counter()
    hasher = blake3(max_threads=1)
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        while piece := read.read(PIECE):
            hasher.update(piece)
            write.write(piece)
        os.fsync(write.fileno())
    hasher.hexdigest()
    return time.perf_counter() - began


class Memory:
    """The largest resident size of this process while it runs, above what it was."""

    def __enter__(self) -> Memory:
        self._process = psutil.Process()
        self._start = self.peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def above(self) -> int:
        return self.peak - self._start

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, self._process.memory_info().rss)


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    directory = write_checkpoint(folder / "model", options.gigabytes)
    weights = directory / "model.safetensors"
    size = weights.stat().st_size
    inventory = survey(directory)
    digests = DigestCache(folder / "digests")
    began = time.perf_counter()
    source = model_source(inventory, digests, lambda done: None)
    hashing = time.perf_counter() - began
    names = tuple(f"local-{number}" for number in range(1, options.agents + 1))
    share = inventory.layer_count // options.agents
    firsts = [number * share for number in range(options.agents)]
    ranges = [(a, b - 1) for a, b in zip(firsts, [*firsts[1:], inventory.layer_count], strict=True)]
    copies: list[float] = []
    pushes: list[float] = []
    above = 0
    for number in range(options.repeat):
        copies.append(copy(weights, folder / "copy"))
        (folder / "copy").unlink()
        controller = Controller(
            controller_paths(folder / f"controller-{number}"), local_agents=names, known_nodes=False, discover=False
        )
        try:
            await controller.start()
            await controller.wait_ready()
            orders = shard_orders(list(controller.nodes.values()), ranges, inventory, source)
            with Memory() as memory:
                began = time.perf_counter()
                await bring_shards("bench", inventory, orders, [])
                pushes.append(time.perf_counter() - began)
            above = max(above, memory.above)
        finally:
            await controller.close()
        print(f"run {number + 1}: copy {copies[-1]:.2f} s, push {pushes[-1]:.2f} s", flush=True)
    copied, pushed = statistics.median(copies), statistics.median(pushes)
    return {
        "bytes": size,
        "agents": options.agents,
        "copy_bytes_per_s": size / copied,
        "push_bytes_per_s": size / pushed,
        "ratio": copied / pushed,
        "first_hashing_s": hashing,
        "memory_above_start_bytes": above,
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()  # as both programs do at their start
    folder = Path(tempfile.mkdtemp(prefix="shardboard-bench-"))
    try:
        report = asyncio.run(measure(options, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(report))
    else:
        print(
            f"{report['bytes'] / 1e9:.1f} GB to {report['agents']} agents: push {report['push_bytes_per_s'] / 1e6:.0f} "
            f"MB/s, copy with the same hash {report['copy_bytes_per_s'] / 1e6:.0f} MB/s, ratio {report['ratio']:.2f}; "
            f"first hashing {report['first_hashing_s']:.1f} s; "
            f"memory {report['memory_above_start_bytes'] / 1e6:.0f} MB above the start"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

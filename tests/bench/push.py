"""How fast a push is, beside a plain copy with the same hash, and what memory it takes.

`python -m tests.bench.push [--gigabytes 2] [--agents 1 3] [--repeat 5] [--json]`

A checkpoint of random bytes is pushed by a real controller, a process of its own each time, to real agents on loopback
with empty stores: TLS, hashing on arrival and syncing to the disk included. In turn with that, the same file is copied:
read, hashed with BLAKE3, written and synced; once in one thread, and once with the hash in a second one as in agents.
The file is in the page cache, and the disk has nothing else to write, when each of them begins. The first hashing
happens once in a model's life, so it is measured apart, in the first run. Memory is the largest resident size, hashing
included, above what it was when the agents had just connected.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
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
from shardd.store.hasher import SideHasher

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
    """Seconds to read, hash, write and sync the file in one thread."""
    os.sync()
    began = time.perf_counter()
    hasher = blake3(max_threads=1)
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        while piece := read.read(PIECE):
            hasher.update(piece)
            write.write(piece)
        os.fsync(write.fileno())
    hasher.hexdigest()
    return _ended(began, target)


def copy_beside(source: Path, target: Path) -> float:
    """As copy, with the hash in a second thread."""
    os.sync()
    began = time.perf_counter()
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        hasher = SideHasher(write.fileno(), 0)
        while piece := read.read(PIECE):
            hasher.update(piece)
            write.write(piece)
        hasher.digest()
        os.fsync(write.fileno())
    return _ended(began, target)


def _ended(began: float, target: Path) -> float:
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


class Memory:
    """The largest resident size of processes while it runs, above what each was."""

    def __init__(self, process_ids: Sequence[int]) -> None:
        self._processes = [psutil.Process(number) for number in process_ids]

    def __enter__(self) -> Memory:
        self._starts = self._sizes()
        self._peaks = list(self._starts)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def above(self) -> int:
        """Of the process that grew most, in bytes."""
        return max(peak - start for peak, start in zip(self._peaks, self._starts, strict=True))

    def _sizes(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._peaks = [max(pair) for pair in zip(self._peaks, self._sizes(), strict=True)]


async def push(model: Path, folder: Path, agents: int) -> dict[str, Any]:
    """The controller's process: one push to agents with empty stores. folder keeps the digests from run to run."""
    names = tuple(f"local-{number}" for number in range(1, agents + 1))
    home = Path(tempfile.mkdtemp(dir=folder))
    controller = Controller(controller_paths(home), local_agents=names, known_nodes=False, discover=False)
    try:
        await controller.start()
        await controller.wait_ready()
        assert controller.local_agents is not None
        with Memory([os.getpid()]) as own, Memory(controller.local_agents.process_ids) as theirs:
            inventory = survey(model)
            digests = DigestCache(folder / "digests")
            began = time.perf_counter()
            source = await asyncio.to_thread(model_source, inventory, digests, lambda done: None)
            hashing = time.perf_counter() - began
            digests.save(inventory.units)
            share = inventory.layer_count // agents
            firsts = [number * share for number in range(agents)]
            ranges = [(a, b - 1) for a, b in zip(firsts, [*firsts[1:], inventory.layer_count], strict=True)]
            orders = shard_orders(list(controller.nodes.values()), ranges, inventory, source)
            os.sync()
            began = time.perf_counter()
            _, transfers = await bring_shards("bench", inventory, orders, [])
            seconds = time.perf_counter() - began
    finally:
        await controller.close()
        shutil.rmtree(home)
    return {
        "seconds": seconds,
        "hashing_s": hashing,
        "memory_above_start_bytes": own.above,
        "agent_memory_above_start_bytes": theirs.above,
        "sent_bytes": sum(transfer.sent_bytes for transfer in transfers),
        "fetched_bytes": sum(transfer.fetched_bytes for transfer in transfers),
        "retries": sum(transfer.retries for transfer in transfers),
    }


def pushed(model: Path, folder: Path, agents: int) -> dict[str, Any]:
    """push in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.push", "--controller", str(model), str(folder), "--agents"]
    done = subprocess.run([*command, str(agents)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measure(options: argparse.Namespace, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    model = write_checkpoint(folder / "model", options.gigabytes)
    weights = model / "model.safetensors"
    size = weights.stat().st_size
    copies: list[float] = []
    beside: list[float] = []
    runs: dict[int, list[dict[str, Any]]] = {agents: [] for agents in options.agents}
    for number in range(options.repeat):
        for agents, results in runs.items():
            results.append(pushed(model, folder, agents))
        copies.append(copy(weights, folder / "copy"))
        beside.append(copy_beside(weights, folder / "copy"))
        seconds = ", ".join(f"push to {agents} {results[-1]['seconds']:.2f} s" for agents, results in runs.items())
        tell(f"run {number + 1}: copy {copies[-1]:.2f} s, hashing beside {beside[-1]:.2f} s, {seconds}")
    plain, quick = statistics.median(copies), statistics.median(beside)
    pushes: list[dict[str, Any]] = []
    for agents, results in runs.items():
        seconds = [result["seconds"] for result in results]
        median = statistics.median(seconds)
        pushes.append(
            {
                "agents": agents,
                "seconds": seconds,
                "bytes_per_s": size / median,
                "ratio": plain / median,
                "ratio_hashing_beside": quick / median,
                "sent_bytes": results[0]["sent_bytes"],
                "fetched_bytes": results[0]["fetched_bytes"],
                "retries": sum(result["retries"] for result in results),
                "memory_above_start_bytes": max(result["memory_above_start_bytes"] for result in results),
                "agent_memory_above_start_bytes": max(result["agent_memory_above_start_bytes"] for result in results),
            }
        )
    return {
        "bytes": size,
        "copy": {"seconds": copies, "bytes_per_s": size / plain},
        "copy_hashing_beside": {"seconds": beside, "bytes_per_s": size / quick},
        "first_hashing_s": runs[options.agents[0]][0]["hashing_s"],
        "pushes": pushes,
    }


def report_lines(report: dict[str, Any]) -> list[str]:
    size, hashing = report["bytes"], report["first_hashing_s"]
    lines = [
        f"{size / 1e9:.2f} GB, medians of {len(report['copy']['seconds'])}; the file is in the page cache",
        f"copy with the same hash: {report['copy']['bytes_per_s'] / 1e6:.0f} MB/s in one thread, "
        f"{report['copy_hashing_beside']['bytes_per_s'] / 1e6:.0f} MB/s hashing in a second one",
        f"first hashing on the controller, once a model: {hashing:.1f} s, {size / hashing / 1e6:.0f} MB/s",
    ]
    for each in report["pushes"]:
        first = size / (size / each["bytes_per_s"] + hashing)
        lines.append(
            f"push to {each['agents']}: {each['bytes_per_s'] / 1e6:.0f} MB/s, ratio {each['ratio']:.2f} "
            f"({each['ratio_hashing_beside']:.2f} of the copy that hashes beside; with the first hashing "
            f"{first / 1e6:.0f} MB/s); sent {each['sent_bytes'] / 1e6:.1f} MB, fetched from each other "
            f"{each['fetched_bytes'] / 1e6:.1f} MB; memory above the start: controller "
            f"{each['memory_above_start_bytes'] / 1e6:.0f} MB, agent "
            f"{each['agent_memory_above_start_bytes'] / 1e6:.0f} MB"
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--agents", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--controller", type=Path, nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.controller:
        keep_freed_memory()  # as both programs do at their start
        print(json.dumps(asyncio.run(push(*options.controller, options.agents[0]))))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="shardboard-bench-"))
    try:
        report = measure(options, folder, lambda line: print(line, file=sys.stderr, flush=True))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(report) if options.json else "\n".join(report_lines(report)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

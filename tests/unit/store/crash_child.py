"""Run as a program by test_store_crash: pushes and deletes, and dies where it is told to.

`crash_child.py ROOT` reads lines "SCENARIO N" and for each forks a process that plays the scenario in the store ROOT
and kills itself with SIGKILL at the N-th event, where each call of the operating system counts twice: just before and
just after. It answers "killed" or "done". `crash_child.py ROOT stream` pushes the large unit once, writing one byte to
stdout per piece, until it is done or killed from outside.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from blake3 import blake3

from shardd.store import ShardManifest, Store, UnitReference

PIECE = 1 << 16


def content_of(name: str, size: int) -> bytes:
    return blake3(name.encode()).digest(length=size)


def digest_of(content: bytes) -> str:
    return blake3(content).hexdigest()


BLUEPRINT = content_of("blueprint", 300)
LAYER = content_of("layer", 3 * PIECE + 17)
LARGE = content_of("large", 256 * PIECE + 5)
SHARD = ShardManifest(
    "model",
    digest_of(BLUEPRINT),
    0,
    0,
    4,
    (UnitReference("layer.0", digest_of(LAYER), len(LAYER)),),
)


def push(store: Store, content: bytes, after_piece: Callable[[], object] = lambda: None) -> None:
    with store.open_writer(digest_of(content), len(content)) as writer:
        while writer.remaining:
            writer.write(content[writer.offset : writer.offset + PIECE])
            after_piece()
        writer.finish()


def play(root: Path, scenario: str) -> None:
    store = Store(root, reserve_bytes=0)
    store.sweep()
    if scenario == "push":
        push(store, BLUEPRINT)
        push(store, LAYER)
        store.put_shard(SHARD)
    else:
        store.delete_shard(SHARD.shard_id)


def die_at(event: int) -> None:
    seen = 0

    def watch(frame: FrameType, kind: str, function: object) -> None:
        nonlocal seen
        if kind in ("c_call", "c_return") and getattr(function, "__module__", "") in ("posix", "fcntl"):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def in_fork(root: Path, scenario: str, event: int) -> str:
    pid = os.fork()
    if pid == 0:
        die_at(event)
        play(root, scenario)
        sys.setprofile(None)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else f"failed {status}"


def main() -> None:
    root = Path(sys.argv[1])
    if sys.argv[2:] == ["stream"]:
        push(Store(root, reserve_bytes=0), LARGE, lambda: os.write(1, b"."))
        return
    for line in sys.stdin:
        scenario, event = line.split()
        print(in_fork(root, scenario, int(event)), flush=True)


if __name__ == "__main__":
    main()

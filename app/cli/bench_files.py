"""What `bench --csv` writes: one table of tokens, a row for each token and stage, and one of memory beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.cli.bench_runs import MemorySample, Run
from app.core.errors import ShardboardError

TOKEN_COLUMNS = (
    "run", "stream", "token", "at_ms", "stage", "node", "hop_ms", "queue_ms", "compute_ms", "serialise_ms", "kv_bytes",
)  # fmt: skip
MEMORY_COLUMNS = (
    "at_ms", "node", "weights_bytes", "kv_bytes", "others_bytes", "free_bytes", "swap_used_bytes", "cpu_percent",
)  # fmt: skip

Row = tuple[object, ...]


def memory_file(tokens_file: Path) -> Path:
    """runs.csv -> runs.memory.csv"""
    return tokens_file.with_name(f"{tokens_file.stem}.memory{tokens_file.suffix}")


def token_rows(runs: Sequence[Run], nodes: Sequence[str]) -> Iterator[Row]:
    """Runs count from 1; streams, tokens and stages from 0. A token that came in the same lap as the one before has one
    row with nothing from stage on."""
    for run in runs:
        for answer in run.answers:
            for number, mark in enumerate(answer.marks):
                begin: Row = (run.number, answer.stream, number, round(mark.at_ms, 3))
                if not mark.event.timings:
                    yield (*begin, *[""] * (len(TOKEN_COLUMNS) - len(begin)))
                for timing in mark.event.timings:
                    node = nodes[timing.stage] if timing.stage < len(nodes) else ""
                    yield (
                        *begin,
                        timing.stage,
                        node,
                        timing.hop_ms,
                        timing.queue_ms,
                        timing.compute_ms,
                        timing.serialise_ms,
                        timing.kv_bytes,
                    )


def memory_rows(samples: Sequence[MemorySample]) -> Iterator[Row]:
    for each in samples:
        swap = "" if each.swap_used is None else each.swap_used
        busy = "" if each.cpu_percent is None else round(each.cpu_percent, 1)
        yield (round(each.at_ms, 3), each.node, each.weights, each.kv, each.others, each.free, swap, busy)


def write_tokens(path: Path, runs: Sequence[Run], nodes: Sequence[str]) -> None:
    write_text(path, _table(TOKEN_COLUMNS, token_rows(runs, nodes)))


def write_memory(path: Path, samples: Sequence[MemorySample]) -> None:
    write_text(path, _table(MEMORY_COLUMNS, memory_rows(samples)))


def write_text(path: Path, text: str) -> None:
    """Raises ShardboardError."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ShardboardError(f"{path.name} could not be written: {error.strerror}.", "Choose another place.") from None


def _table(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """As RFC 4180 has it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()

"""The latency lane as a trace: spans that lie within their lap, in the order of the ring."""

from __future__ import annotations

import json

from app.core.generation.request import StageTiming, TokenEvent
from app.core.generation.trace import trace


def event(sent_ms: float, *timings: StageTiming) -> TokenEvent:
    return TokenEvent(1, "x", timings, sent_ms, sent_ms=sent_ms)


def test_a_trace_lays_parts_end_to_end() -> None:
    first, second = StageTiming(0, 1.0, 0.0, 3.0, 0.5), StageTiming(1, 2.0, 0.25, 2.0, 0.25)
    found = trace([event(100, first, second), event(110, first, second), event(125, first, second)], ["a", "b"], "m")
    assert json.loads(json.dumps(found)) == found and found["displayTimeUnit"] == "ms"
    names = [(row["tid"], row["args"]["name"]) for row in found["traceEvents"] if row["ph"] == "M"]
    assert names == [(0, "Shardboard m"), (0, "tokens"), (1, "1 a"), (2, "2 b")]
    spans = [(row["tid"], row["name"], row["ts"], row["dur"]) for row in found["traceEvents"] if row["ph"] == "X"]
    assert spans[:8] == [
        (0, "token 1", 0.0, 10_000.0),
        (1, "hop", 0.0, 1000.0),
        (1, "computing", 1000.0, 3000.0),
        (1, "packing", 4000.0, 500.0),
        (2, "hop", 4500.0, 2000.0),
        (2, "waiting", 6500.0, 250.0),
        (2, "computing", 6750.0, 2000.0),
        (2, "packing", 8750.0, 250.0),
    ]
    assert spans[8] == (0, "token 2", 10_000.0, 15_000.0)


def test_a_trace_of_nothing_is_empty() -> None:
    assert [row["ph"] for row in trace([], [])["traceEvents"]] == ["M", "M"]
    assert len(trace([event(1, StageTiming(0, 0, 0, 1, 0))], [])["traceEvents"]) == 2

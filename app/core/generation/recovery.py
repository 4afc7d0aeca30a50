"""An answer that was interrupted: what is said when it goes on, and what its time went into. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.deployment.loss import Loss
from app.core.text import joined, phrase
from shardd.rpc import lane_pb2

MAX_IN_A_ROW = 3  # interruptions without a token in between: the answer itself may be what ends the stages


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer's tokens on their way through the stages again. last_at: when its last token came; time.monotonic."""

    loss: Loss
    last_at: float
    opened_at: float = field(default_factory=time.monotonic)
    tokens: list[int] = field(default_factory=list[int])  # that each stage has computed again

    def __post_init__(self) -> None:
        stages = self.loss.pipeline.deployment.stages if self.loss.pipeline else ()
        self.tokens.extend(0 for _ in stages)

    def computed(self, progress: lane_pb2.FrameHeader) -> None:
        """A chunk has passed all stages; one that had it in its cache spent no time on it."""
        for timing in progress.timings:
            if timing.compute_us and timing.stage < len(self.tokens):
                self.tokens[timing.stage] += progress.count

    def parts_s(self, now: float) -> dict[str, float]:
        """Where the time since the last token went, in seconds."""
        known = self.loss.known_at
        noticed = max(0.0, known - self.last_at) if known else 0.0
        return {
            **({} if self.loss.planned else {"noticed": noticed}),
            **self.loss.parts,
            "replayed": now - self.opened_at,
        }

    def sentence(self, now: float) -> str:
        """What happened and how long it took."""
        return continued(self.loss, now - self.last_at, self.parts_s(now))


PARTS = {
    "noticed": phrase("noticed"),
    "planned": phrase("planned"),
    "pushed": phrase("pushed"),
    "loaded": phrase("loaded"),
    "joined": phrase("joined"),
    "replayed": phrase("replayed"),
}


def continued(loss: Loss, seconds: float, parts: Mapping[str, float]) -> str:
    """`local-2 was lost; its layers 4 to 7 moved to local-3; continued after 1.4 s (noticed 0.1, ...).` or
    `Layers 4 to 7 moved to mini-2, the answer waited 0.4 s (joined 0.1, replayed 0.3).`"""
    # where no machine is named, a lane broke
    lost = phrase("{node} was lost", node=loss.node) if loss.node else phrase("A lane between the machines broke")
    listed = joined(
        (phrase("{part} {seconds:.2f}", part=PARTS[name], seconds=each) for name, each in parts.items()), ", "
    )
    if loss.planned:
        return phrase(
            "{how}, the answer waited {seconds:.1f} s ({listed}).", how=loss.how, seconds=seconds, listed=listed
        )
    return phrase(
        "{lost}; {how}; continued after {seconds:.1f} s ({listed}).",
        lost=lost,
        how=loss.how,
        seconds=seconds,
        listed=listed,
    )

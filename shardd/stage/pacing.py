"""How prompts are computed beside running answers: when the next chunk may go, and how large it is."""

from __future__ import annotations

from collections import deque
from math import sqrt
from statistics import median

SMALLEST_CHUNK = 256
LARGEST_CHUNK = 2048
FIRST_CHUNK = 512  # before anything was measured
STEP = 64
KEPT_SPEED = 0.75  # of a running answer, beside prompts: a little above what is promised
MEMORY = 128  # laps: some seconds, else what a chunk leaves behind would count as usual
PATIENCE = 4.0


class Pacer:
    """Lets chunks go as long as running answers keep their speed.

    Each lap of a group may take 1 / KEPT_SPEED of an undisturbed one. What it took less is saved up for the next
    chunk, what it took more has to be earned back first. A machine with other work takes long of itself and would
    never earn anything: after PATIENCE times what the last chunk took the next one goes all the same.
    Times in seconds, of one clock.
    """

    def __init__(self) -> None:
        self._undisturbed: deque[float] = deque(maxlen=MEMORY)
        self._saved = 0.0
        self._felt = True  # whether a lap came home since the last chunk passed: only then its cost is booked
        self._left_at = 0.0
        self._passed_at = 0.0

    @property
    def lap_s(self) -> float | None:
        """What an undisturbed lap takes; None before there was one."""
        return median(self._undisturbed) if self._undisturbed else None

    def lap(self, began: float, ended: float, *, disturbed: bool, share: float) -> None:
        """A group came home, with this share of the running answers; disturbed: a chunk was on the way meanwhile."""
        seconds = ended - began
        # A chunk leaves groups that stand in each other's way for one more lap.
        if not disturbed and (not self._undisturbed or began - self._passed_at > median(self._undisturbed)):
            self._undisturbed.append(seconds)
        usual = self.lap_s or seconds
        allowed = usual / KEPT_SPEED
        most = allowed - usual  # an idle hour earns no more than one lap's delay
        self._saved = min(most, self._saved + (allowed - seconds) * share)
        self._felt = True

    def chunk_left(self, at: float) -> None:
        """A chunk leaves the head."""
        self._left_at = at

    def chunk_passed(self, at: float) -> None:
        """A chunk has left the tail."""
        self._passed_at = at
        self._felt = False

    def may_go(self, at: float, *, answers_running: bool, chunks_in_flight: int) -> bool:
        """Whether a chunk may leave the head."""
        if not answers_running:
            return True
        if not self._undisturbed or not self._felt or chunks_in_flight > 0:
            return False
        return self._saved >= 0.0 or at - self._passed_at > PATIENCE * (self._passed_at - self._left_at)


class ChunkSizer:
    """Chooses the size of chunks from how long earlier ones took in the slowest stage: a + b n for n tokens.

    A prompt of L tokens in chunks of n takes (L/n + N - 1) (a + b n) over N stages, which is least at
    n = sqrt(a L / (b (N - 1))).
    """

    def __init__(self, stage_count: int, fixed: int = 0) -> None:
        self._stage_count = stage_count
        self._fixed = fixed
        self._samples: deque[tuple[int, float]] = deque(maxlen=32)

    def measured(self, tokens: int, slowest_s: float) -> None:
        self._samples.append((tokens, slowest_s))

    def choose(self, left: int, longest_s: float | None = None) -> int:
        """Tokens of the next chunk where so many are left; longest_s: how long it should take at most."""
        if self._fixed:
            return min(left, self._fixed)
        per_chunk, per_token = self._line()
        size = FIRST_CHUNK
        if per_token > 0:
            others = max(1, self._stage_count - 1)
            size = int(sqrt(per_chunk * left / (per_token * others)))
            if self._stage_count > 1:
                size = max(size, min(left // (4 * self._stage_count), FIRST_CHUNK))
            else:
                size = LARGEST_CHUNK
            if longest_s is not None:
                size = min(size, int(longest_s / per_token))
        size = max(SMALLEST_CHUNK, min(LARGEST_CHUNK, size // STEP * STEP))
        return left if left < size + SMALLEST_CHUNK // 2 else size

    def _line(self) -> tuple[float, float]:
        """(a, b) by least squares; both 0 before anything was measured."""
        if not self._samples:
            return 0.0, 0.0
        count = len(self._samples)
        mean_n = sum(n for n, _ in self._samples) / count
        mean_t = sum(t for _, t in self._samples) / count
        spread = sum((n - mean_n) ** 2 for n, _ in self._samples)
        slope = sum((n - mean_n) * (t - mean_t) for n, t in self._samples) / spread if spread else mean_t / mean_n
        if slope <= 0 or slope * mean_n > mean_t:
            slope = mean_t / mean_n
        return max(0.0, mean_t - slope * mean_n), slope

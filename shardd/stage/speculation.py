"""Proposing tokens from the text so far, and how many are worth it.

A step that verifies k proposed tokens costs each hop once and each stage a little more; with a share a of proposals
accepted it brings (1 - a^(k+1)) / (1 - a) tokens (Leviathan et al., 2023, equation 1).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

LONGEST_PATTERN = 6
SHORTEST_PATTERN = 2
TELLING_PATTERN = 3  # equal tokens: measured, of what followed 2 about half was right, of what followed more 0.8
MOST_PROPOSED = 16
FIRST_PROPOSED = 4  # as long as little is known of a source in this sequence
FIRST_TRIES = 3
PROBED = 2  # proposals of the one try after a rest
SMOOTHING = 0.15
WINDOW = 32768  # tokens that are searched
ITEM = array("i").itemsize
SHORT_REST = 24  # steps without a proposal after proposing did not pay; twice as many after each try that fails
LONG_REST = 768
LOSS_SHARE = 0.01  # of all time that proposals of one kind may lose
FIRST_CREDIT = 1.0  # laps that they may lose before anything is known
FRESH_CREDIT = 0.5  # that each sequence has at its beginning
MOST_CREDIT = 6.0
SPARSE = 3  # fewer laps than these tell little
WORTH = 1.03
TOKEN_SHARE = 0.04  # of a lap that one more token costs, before it was measured
HOPE = 0.7
KEPT_LAPS = 9
FIRST_PLAIN = 3
PLAIN_EVERY = 64


@dataclass(frozen=True, slots=True)
class Match:
    """Where the last `length` tokens stood before. after: index of what followed; end: tokens in all."""

    after: int
    length: int
    end: int


class Lookup:
    """Finds where the last few tokens stood before, and proposes what followed then."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = array("i", tokens)
        self._bytes = bytearray(self._tokens.tobytes())

    def extend(self, tokens: Sequence[int]) -> None:
        more = array("i", tokens)
        self._tokens.extend(more)
        self._bytes += more.tobytes()

    def find(self) -> Match | None:
        """The longest end of the text, up to LONGEST_PATTERN tokens, that stood before, and there the latest place."""
        end = len(self._tokens)
        for length in range(min(LONGEST_PATTERN, end - 1), SHORTEST_PATTERN - 1, -1):
            place = self._place_before(self._bytes[-length * ITEM :], end - length)
            if place is not None:
                return Match(place + length, length, end)
        return None

    def continuation(self, match: Match, count: int) -> tuple[int, ...]:
        """What followed there; a text that repeats itself goes on doing so."""
        period = match.end - match.after
        return tuple(self._tokens[match.after + number % period] for number in range(count))

    def propose(self, most: int) -> tuple[int, ...]:
        """At most so many tokens that may come next."""
        match = self.find()
        return self.continuation(match, most) if match else ()

    def _place_before(self, pattern: bytearray, end: int) -> int | None:
        """Where the pattern began last, before its own place at `end`."""
        start = max(0, end - WINDOW) * ITEM
        found = self._bytes.rfind(pattern, start, (end - 1) * ITEM + len(pattern))
        while found >= 0 and found % ITEM:  # between two numbers
            found = self._bytes.rfind(pattern, start, found - 1 + len(pattern))
        return found // ITEM if found >= 0 else None


class Ledger:
    """Keeps proposals from costing more than they may, whatever is guessed about them. In plain laps.

    A step with proposals brings as many laps as it brings tokens and costs what it took. A small share of all time is
    given to try; what is lost beyond that has to be earned first.
    """

    def __init__(self) -> None:
        self.credit = FIRST_CREDIT

    def begin(self) -> None:
        """A new sequence: what another one has earned is not to be lost in this one, which may try a little anyway."""
        self.credit = max(FRESH_CREDIT, min(self.credit, FIRST_CREDIT))

    def book(self, tokens: int, laps: float) -> None:
        """A step brought so many tokens and took so many plain laps."""
        self.credit = min(MOST_CREDIT, self.credit + LOSS_SHARE * laps + tokens - laps)


@dataclass
class Prior:
    """What proposals of one kind came to in earlier sequences of the deployment. rest: for how many steps they are left
    out; idle: for how many they were since the last try, in whatever sequence: short ones get their turn too."""

    accepted: float = HOPE
    known: bool = False
    rest: int = SHORT_REST
    idle: int = 0

    def note(self, accepted: float) -> None:
        self.accepted += (accepted - self.accepted) * (0.3 if self.known else 1.0)
        self.known = True


@dataclass
class Advisor:
    """How many tokens of one source to propose in one sequence, from what they brought so far.

    prior: shared by the deployment's sequences. resting: steps to go without a proposal.
    """

    prior: Prior
    accepted: float = 0.0
    resting: int = 0
    tries: int = 0  # since the last rest
    _probing: bool = field(default=False)

    def __post_init__(self) -> None:
        self.accepted = self.prior.accepted

    def most(self, laps: Mapping[int, float], token_s: float = 0.0, credit: float = MOST_CREDIT) -> int:
        """The best number of proposed tokens, 0 where none pays or can be afforded.

        token_s: what making each adds to a step's path. credit: plain laps that may be lost.
        """
        if self.resting > 0:
            self.resting -= 1
            self.prior.idle += 1
            self._probing = not self.resting
            return 0
        affordable = most_affordable(credit, laps, token_s, self.accepted if self.tries else 0.0)
        if not affordable:
            return 0
        best, gain = best_count(self.accepted, laps, token_s)
        if gain > WORTH:
            if not self._probing:
                self.prior.rest = SHORT_REST
            return min(best, affordable, MOST_PROPOSED if self.tries >= FIRST_TRIES else FIRST_PROPOSED)
        if self._probing:
            return min(PROBED, affordable)
        if self.tries:  # in vain: twice as long until the next one
            self.resting, self.tries = self.prior.rest, 0
            self.prior.rest = min(2 * self.prior.rest, LONG_REST)
            return 0
        self.resting = max(0, self.prior.rest - self.prior.idle)  # other sequences have left out some of it
        self._probing = not self.resting
        return min(PROBED, affordable) if self._probing else 0

    def learn(self, proposed: int, right: int) -> None:
        """Of so many proposed tokens the first `right` were accepted."""
        if not proposed:
            return
        self.tries += 1
        self.prior.idle = 0
        self._probing = False
        # Tokens after the first wrong one say nothing about themselves.
        share = right / min(proposed, right + 1)
        self.accepted += max(SMOOTHING, 1 / (self.tries + 1)) * (share - self.accepted)
        if self.tries >= FIRST_TRIES or not share:
            self.prior.note(self.accepted)


class Laps:
    """What laps took lately, by tokens in the step, undisturbed by what happens once."""

    def __init__(self) -> None:
        self._times: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}
        self._since_plain = 0

    def note(self, tokens: int, seconds: float) -> None:
        times = self._times.setdefault(tokens, deque(maxlen=KEPT_LAPS))
        times.append(seconds)
        solid = [number for number, each in self._times.items() if len(each) >= SPARSE]
        counted = solid if 1 in solid and len(solid) > 1 else list(self._times)
        self._medians = {number: median(self._times[number]) for number in counted}
        self._since_plain = 0 if tokens == 1 else self._since_plain + 1

    @property
    def plain_s(self) -> float:
        """Of a step without proposals; 0 where none was measured."""
        return self._medians.get(1, 0.0)

    @property
    def plain_wanted(self) -> bool:
        """Whether it is time to measure a step without proposals: all is compared with that."""
        return len(self._times.get(1, ())) < FIRST_PLAIN or self._since_plain >= PLAIN_EVERY

    def medians(self) -> Mapping[int, float]:
        return self._medians


def lap_of(tokens: int, laps: Mapping[int, float]) -> float:
    """Seconds of a lap with so many tokens: measured, or on a straight line between or beyond what was measured.

    More tokens never make a lap shorter.
    """
    if not laps:
        return 1.0
    low = max((number for number in laps if number <= tokens), default=min(laps))
    high = min((number for number in laps if number >= tokens), default=max(laps))
    if low == high == tokens:
        return max(laps[tokens], laps[min(laps)])
    if low < tokens < high:
        share = (tokens - low) / (high - low)
        return laps[low] + share * max(0.0, laps[high] - laps[low])
    first, last = min(laps), max(laps)
    slope = TOKEN_SHARE * laps[first] if first == last else max(0.0, (laps[last] - laps[first]) / (last - first))
    return max(laps[first], laps[last] + slope * (tokens - last))


def expected_tokens(accepted: float, proposed: int) -> float:
    """Tokens that a step with so many proposals brings on average."""
    if accepted >= 0.999:
        return proposed + 1.0
    return (1 - accepted ** (proposed + 1)) / (1 - accepted)


def most_affordable(credit: float, laps: Mapping[int, float], token_s: float = 0.0, accepted: float = 0.0) -> int:
    """The most proposals that risk no more than so many plain laps: what is lost where all of them are wrong, which
    is the less likely the more were right lately."""
    plain = lap_of(1, laps)
    fitting = [
        k
        for k in range(1, MOST_PROPOSED + 1)
        if (lap_of(k + 1, laps) + k * token_s - plain) * (1 - accepted) <= credit * plain
    ]
    return max(fitting, default=0)


def best_count(accepted: float, laps: Mapping[int, float], token_s: float = 0.0) -> tuple[int, float]:
    """The number of proposals with the best speed, and how many times faster that is than none.

    accepted: share of proposals that are right. laps: seconds by tokens in the step; hops are part of them, and so
    the longer these are the more proposals pay. token_s: seconds that making one proposal adds to the step's path.
    """
    plain = lap_of(1, laps)
    speeds = {
        k: expected_tokens(accepted, k) * plain / (lap_of(k + 1, laps) + k * token_s)
        for k in range(1, MOST_PROPOSED + 1)
    }
    best = max(speeds, key=lambda k: speeds[k])
    return best, speeds[best]

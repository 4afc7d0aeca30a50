"""What the head proposes for a sequence: from its own text, else from the draft model, and how much.

a step leaves with k proposals ──▶ other stages compute it; meanwhile the draft goes on from its own guesses
the verdict comes               ──▶ guesses that hold are the next proposals at once; wrong ones are cut off
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Protocol

from shardd.rpc import lane_pb2
from shardd.stage.speculation import TELLING_PATTERN, Advisor, Laps, Ledger, Lookup, Prior, lap_of

SMOOTHING = 0.15
QUICK = 2.0  # guesses' time that the draft may need for known tokens before it guesses
PATIENCE = 0.15  # of a lap, that the draft may take where there are no pauses
CERTAIN = 0.8  # of the time until a step is expected home
NEARLY = 4  # steps before the end of a rest, when the draft begins to catch up


class Source(Enum):
    """Where proposals come from: a place in the text that a few, or more, equal tokens found, or the draft."""

    HINT = "hint"
    MATCH = "match"
    DRAFT = "draft"


TEXT = (Source.HINT, Source.MATCH)
DRAFT = (Source.DRAFT,)


class Drafter(Protocol):
    """The draft model, see Draft."""

    token_s: float

    def open(self, number: int, sampling: lane_pb2.Sampling, history: Sequence[int], prompt_tokens: int) -> bool: ...
    def close(self, number: int) -> None: ...
    def clear(self) -> None: ...
    def settle(self, number: int, tokens: Sequence[int]) -> None: ...
    def guesses(self, number: int) -> tuple[int, ...]: ...
    def behind_s(self, number: int) -> float | None: ...
    def advance(self, number: int, patience_s: float) -> bool: ...
    def bytes(self) -> int: ...


@dataclass(slots=True)
class _Writer:
    """One sequence. proposed: what travels, and from where. wanted: guesses the draft should make meanwhile.
    path_s: seconds that drafting added to the step's path. drafted: whether the draft has a line of this sequence;
    keen: whether guesses of it are wanted soon."""

    sampling: lane_pb2.Sampling
    prompt_tokens: int
    history: list[int]
    lookup: Lookup
    advisors: dict[Source, Advisor]
    proposed: tuple[int, ...] = ()
    source: Source | None = None
    wanted: int = 0
    path_s: float = 0.0
    drafted: bool = False
    keen: bool = False


class Proposer:
    """For the head's compute thread. stage_count: of the pipeline; one alone never waits for others."""

    def __init__(self, stage_count: int, draft: Drafter | None = None) -> None:
        self._alone = stage_count == 1
        self._draft = draft
        self._writers: dict[int, _Writer] = {}
        self._priors = {source: Prior() for source in Source}
        self._ledgers = {
            source: ledger for ledger, sources in ((Ledger(), TEXT), (Ledger(), DRAFT)) for source in sources
        }
        self._due = 0.0  # when the step that left last is expected back
        self._worked = False  # whether the draft was at work since then
        self._laps: dict[int, Laps] = {}  # by sequences that run
        self._token_s = draft.token_s if draft else 0.0  # what a draft's proposal adds to the path of its step

    def begin(self, number: int, opened: lane_pb2.Open, history: Sequence[int]) -> None:
        """A sequence for which tokens may be proposed."""
        for ledger in self._ledgers.values():
            ledger.begin()
        advisors = {source: Advisor(prior) for source, prior in self._priors.items()}
        self._writers[number] = _Writer(opened.sampling, len(history), list(history), Lookup(history), advisors)

    def forget(self, number: int) -> None:
        self._writers.pop(number, None)
        if self._draft is not None:
            self._draft.close(number)

    def propose(self, number: int, most: int, running: int) -> tuple[int, ...]:
        """At most so many tokens that may come next; () where none pays. running: sequences that share the stages."""
        writer = self._writers.get(number)
        if writer is None:
            return ()
        writer.proposed, writer.source, writer.wanted, writer.path_s = (), None, 0, 0.0
        known = self._laps.setdefault(running, Laps())
        if most > 0 and not known.plain_wanted:
            laps = known.medians()
            self._from_text(writer, most, laps)
            if not writer.proposed and self._draft is not None:
                began = time.perf_counter()
                self._from_draft(number, writer, most, laps, self._draft)
                writer.path_s = time.perf_counter() - began
        self._due = time.monotonic() + (lap_of(len(writer.proposed) + 1, known.medians()) if known.plain_s else 0.0)
        self._worked = False
        return writer.proposed

    def verdict(
        self, number: int, tokens: Sequence[int], running: int, lap_s: float | None, late_s: float = 0.0
    ) -> None:
        """A step came home with these tokens; of what was proposed all but the last of them were right.

        lap_s: what it took, None where something else held it up. late_s: for so long nobody took it up, because the
        draft was at work.
        """
        writer = self._writers.get(number)
        if writer is None:
            return
        writer.history.extend(tokens)
        writer.lookup.extend(tokens)
        if writer.drafted and self._draft is not None:
            self._draft.settle(number, tokens)
        proposed, source = len(writer.proposed), writer.source
        writer.proposed, writer.source, writer.wanted = (), None, 0
        if lap_s is not None:
            self._book(writer, source, proposed, len(tokens), self._laps.setdefault(running, Laps()), lap_s, late_s)
        writer.path_s = 0.0
        if source is not None:
            writer.advisors[source].learn(proposed, len(tokens) - 1)

    def use_pause(self, travelling: Iterable[int]) -> bool:
        """One piece of drafting while these sequences' steps are elsewhere; False where there is nothing to do."""
        if self._draft is None:
            return False
        # What would not be done when the step comes home would hold it up.
        left_s = CERTAIN * (self._due - time.monotonic())
        if left_s <= 0:
            return False
        for number in travelling:
            writer = self._writers.get(number)
            if writer is None or not writer.drafted:
                continue
            behind = self._draft.behind_s(number)
            if behind is None:
                writer.drafted = False
                continue
            wanted = len(self._draft.guesses(number)) < writer.wanted or (behind and writer.keen)
            if wanted and self._draft.advance(number, left_s):
                self._worked = True
                return True
        return False

    def _book(
        self,
        writer: _Writer,
        source: Source | None,
        proposed: int,
        tokens: int,
        laps: Laps,
        lap_s: float,
        late_s: float,
    ) -> None:
        """What a step brought and took, to those who are answerable for it."""
        if proposed or not self._worked:  # a plain lap during which the draft was at work is none
            laps.note(proposed + 1, lap_s)
        plain_s = laps.plain_s
        if not plain_s:
            return
        spent = min(lap_s, 2 * lap_of(proposed + 1, laps.medians())) if proposed else plain_s
        drafting = writer.path_s + (late_s if self._worked else 0.0)
        if source is Source.DRAFT:
            self._token_s += SMOOTHING * (drafting / proposed - self._token_s)
        if self._worked and not proposed:
            spent = min(lap_s, 2 * plain_s)
        own, other = (Source.DRAFT, Source.MATCH) if not source or source is Source.DRAFT else (source, Source.DRAFT)
        self._ledgers[own].book(tokens, (spent + drafting) / plain_s)
        self._ledgers[other].book(1, 1.0)

    def _from_text(self, writer: _Writer, most: int, laps: Mapping[int, float]) -> None:
        match = writer.lookup.find()
        if match is None:
            return
        source = Source.MATCH if match.length >= TELLING_PATTERN else Source.HINT
        count = min(most, writer.advisors[source].most(laps, 0.0, self._ledgers[source].credit))
        if count:
            writer.proposed, writer.source = writer.lookup.continuation(match, count), source

    def _from_draft(self, number: int, writer: _Writer, most: int, laps: Mapping[int, float], draft: Drafter) -> None:
        advisor = writer.advisors[Source.DRAFT]
        count = min(most, advisor.most(laps, self._token_s, self._ledgers[Source.DRAFT].credit))
        writer.keen = count > 0 or 0 < advisor.resting <= NEARLY
        if not writer.drafted and writer.keen:
            writer.drafted = draft.open(number, writer.sampling, writer.history, writer.prompt_tokens)
        behind_s = draft.behind_s(number) if writer.drafted else None
        if behind_s is None or not count:
            return
        if behind_s > QUICK * draft.token_s:  # it catches up while steps are elsewhere; a stage alone has no such time
            if self._alone:
                draft.advance(number, PATIENCE * lap_of(1, laps))
            return
        while len(draft.guesses(number)) < count and draft.advance(number, inf):
            pass
        writer.proposed = draft.guesses(number)[:count]
        if writer.proposed:
            writer.source = Source.DRAFT
            writer.wanted = 2 * len(writer.proposed) + 1  # these, the one after them, and as many again

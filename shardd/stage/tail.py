"""The tail's side of every sequence: sampling, verifying proposed tokens, ending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from shardd.rpc import lane_pb2
from shardd.stage.sampling import Drawn, Sampler
from shardd.stage.work import Row


@dataclass(slots=True)
class Written:
    """One sequence as the tail sees it. muted: its controller has enough and hears no more."""

    opened: lane_pb2.Open
    sampler: Sampler
    generated: int = 0
    muted: bool = False


@dataclass(slots=True)
class Chosen:
    """What came of one row: the tokens for the head, and each as the controller gets it."""

    sequence: int
    position: int
    tokens: list[lane_pb2.Token] = field(default_factory=list[lane_pb2.Token])

    @property
    def finish_reason(self) -> str:
        return self.tokens[-1].finish_reason


def copies(
    chosen: Chosen, together: int, timings: Sequence[lane_pb2.StepTiming], sent_ns: int
) -> Iterator[lane_pb2.FrameHeader]:
    """What the controller hears of a row, a frame for each token. together: rows in the step. sent_ns: when the tokens
    were there."""
    for number, token in enumerate(chosen.tokens):
        copy = lane_pb2.FrameHeader(
            kind=lane_pb2.TOKEN,
            sequence=chosen.sequence,
            position=chosen.position + number,
            token=token,
            sent_ns=sent_ns,
        )
        if not number:  # tokens that were proposed and right cost nothing more
            copy.timings.extend(timings)
            copy.count = together
        yield copy


class Tail:
    """Chooses tokens. context_tokens: where every sequence ends at the latest."""

    def __init__(self, context_tokens: int, vocab_size: int) -> None:
        self._context_tokens = context_tokens
        self._vocab_size = vocab_size
        self._written: dict[int, Written] = {}

    def open(self, sequence_id: int, opened: lane_pb2.Open, prompt: Sequence[int]) -> None:
        self._written[sequence_id] = Written(
            opened, Sampler(opened.sampling, prompt, self._vocab_size), opened.generated
        )

    def forget(self, sequence_id: int) -> Written | None:
        return self._written.pop(sequence_id, None)

    def mute(self, sequence_id: int) -> None:
        written = self._written.get(sequence_id)
        if written is not None:
            written.muted = True

    def draw(self, rows: Sequence[Row], proposals: Sequence[int], logits: mx.array) -> list[list[Drawn]]:
        """The tokens of each row, to be evaluated. logits (B, L, V): L is 1, or one more than the proposals."""
        return [
            [
                self._written[row.sequence].sampler.draw(
                    logits[index : index + 1, place, :], row.position + place + 1, proposals[:place]
                )
                for place in range(1 + len(proposals))
            ]
            for index, row in enumerate(rows)
        ]

    def settle(self, rows: Sequence[Row], proposals: Sequence[int], drawn: Sequence[Sequence[Drawn]]) -> list[Chosen]:
        """What comes of evaluated tokens: of proposed ones those that hold, and the one after them."""
        chosen: list[Chosen] = []
        for row, tokens in zip(rows, drawn, strict=True):
            written = self._written[row.sequence]
            result = Chosen(row.sequence, row.position)
            for place, each in enumerate(tokens):
                token = self._token(written, each, row.position + place + 1)
                result.tokens.append(token)
                wrong = place < len(proposals) and token.token != proposals[place]
                if token.finish_reason or wrong:
                    break
            chosen.append(result)
        return chosen

    def controller_of(self, sequence_id: int) -> str:
        """The lane that gets copies; "" for none."""
        written = self._written.get(sequence_id)
        return written.opened.reply_to if written is not None and not written.muted else ""

    def _token(self, written: Written, drawn: Drawn, position: int) -> lane_pb2.Token:
        choice = written.sampler.settle(drawn)
        written.generated += 1
        token = lane_pb2.Token(token=choice.token)
        if choice.logprob is not None:
            token.logprob.token, token.logprob.logprob = choice.token, choice.logprob
            token.top_logprobs.extend(lane_pb2.TokenLogprob(token=t, logprob=p) for t, p in choice.top_logprobs)
        if choice.token in written.opened.stop_tokens:
            token.finish_reason = "stop"
        elif written.generated >= written.opened.max_tokens or position + 1 >= self._context_tokens:
            token.finish_reason = "length"
        return token

"""A deployment's pipeline as the controller drives it: sequences opened at the head, tokens copied from the tail.

open ----> head --> ... --> tail ----> PROGRESS, TOKEN, FAIL, CLOSED ----> the sequence's queue
stop ----> head (and the tail, in case the ring is broken)
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence

from app.core.cluster.node import Node, addresses_of
from app.core.deployment.deployment import Deployment
from app.core.generation.lanes import ControllerLane, dial
from app.core.generation.request import Sampling
from shardd.identity import Identity
from shardd.rpc import lane_pb2
from shardd.stage.frames import Frame, token_ids_payload


class Broken:
    """What a sequence's queue gets when the pipeline cannot go on."""


class OpenSequence:
    """One sequence under way. Frames arrive in queue."""

    def __init__(self, sequence_id: int) -> None:
        self.id = sequence_id
        self.queue: asyncio.Queue[Frame | Broken] = asyncio.Queue()


class Pipeline:
    """The lanes of one deployment to this controller. connect, then any number of sequences, then close."""

    def __init__(self, deployment: Deployment, identity: Identity) -> None:
        self.deployment = deployment
        self._identity = identity
        self._head: ControllerLane | None = None
        self._tail: ControllerLane | None = None
        self._sequences: dict[int, OpenSequence] = {}
        self._gone = False
        self.over = ""  # why no answer goes on by other lanes either

    async def connect(self, nodes: Mapping[str, Node]) -> None:
        """Dials head and tail. Raises ShardboardError."""
        self._tail = await self._dial(nodes, -1)
        self._head = await self._dial(nodes, 0)

    @property
    def usable(self) -> bool:
        return not self._gone and self._head is not None and self._tail is not None

    @property
    def open_sequences(self) -> int:
        return len(self._sequences)

    def open(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        max_tokens: int,
        stop_tokens: Sequence[int],
        generated: int = 0,
        resumes: OpenSequence | None = None,
        held_from: int = 0,
    ) -> OpenSequence:
        """Starts a sequence at the head; Broken is the first that it hears where the lanes are gone.

        generated: how many of the prompt's last tokens are the answer's own, from before an interruption.
        resumes: what it was before that. Stages from held_from on still have the caches of it.
        """
        sequence = OpenSequence(secrets.randbits(63))
        self._sequences[sequence.id] = sequence
        if not self.usable or self._head is None or self._tail is None:
            sequence.queue.put_nowait(Broken())
            return sequence
        tensor, payload = token_ids_payload(prompt)
        opened = lane_pb2.Open(
            sampling=_wire_sampling(sampling),
            max_tokens=max_tokens,
            stop_tokens=stop_tokens,
            reply_to=self._tail.id,
            speculate=sampling.speculate,
            generated=generated,
            resumes=resumes.id if resumes else 0,
            held_from=held_from,
        )
        header = lane_pb2.FrameHeader(kind=lane_pb2.OPEN, sequence=sequence.id, tensors=[tensor], open=opened)
        self._head.send(header, [payload])
        return sequence

    def stop(self, sequence: OpenSequence) -> None:
        """Ends a sequence at the next token: every stage frees its cache, and the tail answers CLOSED."""
        for lane in (self._head, self._tail):
            if lane is not None:
                lane.send(lane_pb2.FrameHeader(kind=lane_pb2.CLOSE, sequence=sequence.id))

    def forget(self, sequence: OpenSequence) -> None:
        """Frames of this sequence are dropped from now on."""
        self._sequences.pop(sequence.id, None)

    def break_off(self) -> None:
        """No sequence can go on by these lanes."""
        self._gone = True
        for sequence in self._sequences.values():
            sequence.queue.put_nowait(Broken())

    async def close(self) -> None:
        lanes = [lane for lane in (self._head, self._tail) if lane is not None]
        await asyncio.gather(*(lane.close() for lane in lanes))
        self._head = self._tail = None

    async def _dial(self, nodes: Mapping[str, Node], index: int) -> ControllerLane:
        stage = self.deployment.stages[index]
        node = nodes[stage.node]
        grant = await node.client.grant_lane(stage.stage_id)
        return await dial(
            addresses_of(node),
            grant.port,
            self._identity,
            node.known.certificate_pem,
            grant.token,
            self.deployment.epoch,
            self._heard,
            self.break_off,
        )

    def _heard(self, frame: Frame) -> None:
        sequence = self._sequences.get(frame.header.sequence)
        if sequence is not None:
            sequence.queue.put_nowait(frame)


def _wire_sampling(sampling: Sampling) -> lane_pb2.Sampling:
    return lane_pb2.Sampling(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        repetition_context=sampling.repetition_context,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        seed=secrets.randbits(63) if sampling.seed is None else sampling.seed,
        logit_bias=dict(sampling.logit_bias),
        logprobs=sampling.logprobs,
        top_logprobs=sampling.top_logprobs,
    )

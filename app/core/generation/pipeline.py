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

CAUSE_S = 2.0  # how long a broken pipeline waits for the agent to say why


class Broken:
    """What a sequence's queue gets when the pipeline cannot go on."""


class OpenSequence:
    """One sequence under way. Frames arrive in queue; node and cause are known once the pipeline broke."""

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
        self._broken: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        self._gone = False

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
        self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_tokens: Sequence[int]
    ) -> OpenSequence:
        """Starts a sequence at the head."""
        assert self._head is not None and self._tail is not None
        sequence = OpenSequence(secrets.randbits(63))
        self._sequences[sequence.id] = sequence
        tensor, payload = token_ids_payload(prompt)
        opened = lane_pb2.Open(
            sampling=_wire_sampling(sampling),
            max_tokens=max_tokens,
            stop_tokens=stop_tokens,
            reply_to=self._tail.id,
            speculate=sampling.speculate,
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

    def break_off(self, node: str, cause: str) -> None:
        """A stage or its machine is gone: all sequences end, with this cause."""
        if not self._broken.done():
            self._broken.set_result((node, cause))
        self._gone = True
        for sequence in self._sequences.values():
            sequence.queue.put_nowait(Broken())

    async def cause(self, otherwise: str) -> tuple[str, str]:
        """Why the pipeline broke, as (node, sentence): what an agent says within CAUSE_S, or otherwise."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._broken), CAUSE_S)
        except TimeoutError:
            return "", otherwise

    async def close(self) -> None:
        for lane in (self._head, self._tail):
            if lane is not None:
                await lane.close()
        self._head = self._tail = None
        self._broken.cancel()

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
            self._lost,
        )

    def _heard(self, frame: Frame) -> None:
        sequence = self._sequences.get(frame.header.sequence)
        if sequence is not None:
            sequence.queue.put_nowait(frame)

    def _lost(self) -> None:
        self._gone = True
        for sequence in self._sequences.values():
            sequence.queue.put_nowait(Broken())


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

"""The controller's lanes: when they count as there, and what is said where they cannot be had."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from app.core.errors import ShardboardError
from app.core.generation.lanes import ControllerLane, dial
from shardd.identity import create_identity
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, lane_id
from shardd.stage.frames import Frame
from shardd.stage.lane import Lane, LaneClosed

EPOCH = 3


@dataclass
class Stage:
    """A door that takes a lane in when it is told to; then it asks for the time, as stages do, and says one thing."""

    in_place: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.identity, self.controller = create_identity("stage"), create_identity("controller")
        self.door = Door("127.0.0.1", self.identity, EPOCH, self._take_in, token_s=0.0)

    def _take_in(self, lane: Lane, name: str) -> None:
        self.came.set()
        self.in_place.wait(60)
        try:
            lane.send(lane_pb2.FrameHeader(kind=lane_pb2.FAIL, sequence=7, message=name))
            lane.receive()
        except LaneClosed:
            lane.dispose()

    async def dial(self, token: bytes, heard: asyncio.Queue[Frame]) -> ControllerLane:
        pem = self.identity.certificate_pem
        where = (["127.0.0.1"], self.door.port, self.controller, pem, token, EPOCH)
        return await dial(*where, heard.put_nowait, lambda: None)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.in_place.set()
    stage.door.close()


async def test_a_lane_is_there_when_the_stage_has_it_in_place(stage: Stage) -> None:
    token, heard = secrets.token_bytes(32), asyncio.Queue[Frame]()
    stage.door.admit(token, stage.controller.certificate_pem, controller=True)
    dialling = asyncio.create_task(stage.dial(token, heard))
    await asyncio.to_thread(stage.came.wait, 60)
    done, _ = await asyncio.wait([dialling], timeout=0.2)
    assert not done, "word of a sequence would be lost"
    stage.in_place.set()
    lane = await dialling
    assert lane.id == lane_id(token)
    assert (await heard.get()).header.message == lane.id  # also what came with the first bytes
    await lane.close()


async def test_a_stage_that_expects_nobody(stage: Stage) -> None:
    with pytest.raises(ShardboardError, match="cannot be reached from here"):
        await stage.dial(secrets.token_bytes(32), asyncio.Queue())

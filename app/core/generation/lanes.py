"""The controller's lanes to the head and the tail, on the core's asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from app.core.errors import ShardboardError
from app.core.text import joined, phrase
from shardd.identity import Identity, PinError, fingerprint_of
from shardd.identity.tls import check_pin, client_context
from shardd.rpc import lane_pb2
from shardd.stage.door import hello, lane_id
from shardd.stage.frames import Buffer, Frame, FrameError, FrameReader, encode

DIAL_S = 2.5
READ_BYTES = 256 * 1024
GOODBYE_S = 0.2


class ControllerLane:
    """One lane. on_frame for every frame but pings; on_lost once, unless it was closed from here. came: what was read
    of it already."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        epoch: int,
        token: bytes,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None],
        came: bytes,
    ) -> None:
        self.id = lane_id(token)
        self._reader = reader
        self._writer = writer
        self._epoch = epoch
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._task = asyncio.create_task(self._read(came), name=f"lane-{self.id}")

    def send(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Queues a frame; it is small, and a lane that is gone says so by on_lost."""
        header.epoch = self._epoch
        header.sent_ns = time.monotonic_ns()
        if not self._writer.is_closing():  # asyncio's TLS transport raises where it is lost already
            self._writer.write(encode(header, payload))

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), GOODBYE_S)
        except TimeoutError:  # nobody answers there: a machine that is cut off must not hold up the others
            self._writer.transport.abort()
        except OSError:
            pass

    async def _read(self, data: bytes) -> None:
        frames = FrameReader()
        try:
            while data:
                for frame in frames.feed(data):
                    if frame.header.kind == lane_pb2.PING:
                        self.send(lane_pb2.FrameHeader(kind=lane_pb2.PONG, echo_ns=frame.header.sent_ns))
                    else:
                        self._on_frame(frame)
                data = await self._reader.read(READ_BYTES)
        except (OSError, FrameError):
            pass
        self._on_lost()


async def dial(
    addresses: Sequence[str],
    port: int,
    identity: Identity,
    certificate_pem: bytes,
    token: bytes,
    epoch: int,
    on_frame: Callable[[Frame], None],
    on_lost: Callable[[], None],
) -> ControllerLane:
    """Opens a lane to the first address that answers. Raises ShardboardError."""
    context = client_context(identity, certificate_pem)
    said: list[str] = []
    for address in addresses:
        lane: ControllerLane | None = None
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(DIAL_S):
                reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname="")
                check_pin(writer.get_extra_info("ssl_object"), {fingerprint_of(certificate_pem)})
                writer.write(hello(token, epoch))
                # The stage asks for the time when the lane is in place; word of a sequence before that would be lost.
                came = await reader.read(READ_BYTES)
            if came:
                lane = ControllerLane(reader, writer, epoch, token, on_frame, on_lost, came)
                return lane
            cause = phrase("no answer")
        except (OSError, TimeoutError, ValueError, PinError) as error:  # it may close in the middle of the handshake
            cause = str(error) or phrase("no answer")
        finally:
            if lane is None and writer is not None:
                writer.close()
        said.append(joined((f"{address}:{port}", cause), ": "))
    raise ShardboardError(
        phrase("The stage cannot be reached from here ({said}).", said=joined(said, "; ")),
        "Check the network between them.",
    )

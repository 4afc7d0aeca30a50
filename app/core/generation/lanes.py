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
    """One lane. on_frame for every frame but pings; on_lost once, unless it was closed from here."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        epoch: int,
        token: bytes,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.id = lane_id(token)
        self._reader = reader
        self._writer = writer
        self._epoch = epoch
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._task = asyncio.create_task(self._read(), name=f"lane-{self.id}")

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

    async def _read(self) -> None:
        frames = FrameReader()
        try:
            while data := await self._reader.read(READ_BYTES):
                for frame in frames.feed(data):
                    if frame.header.kind == lane_pb2.PING:
                        self.send(lane_pb2.FrameHeader(kind=lane_pb2.PONG, echo_ns=frame.header.sent_ns))
                    else:
                        self._on_frame(frame)
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
        try:
            opening = asyncio.open_connection(address, port, ssl=context, server_hostname="")
            reader, writer = await asyncio.wait_for(opening, DIAL_S)
        except (OSError, TimeoutError) as error:
            said.append(joined((f"{address}:{port}", str(error) or phrase("no answer")), ": "))
            continue
        try:
            check_pin(writer.get_extra_info("ssl_object"), {fingerprint_of(certificate_pem)})
        except (OSError, ValueError, PinError) as error:  # it closed in the middle of the handshake
            writer.close()
            said.append(f"{address}:{port}: {error}")
            continue
        writer.write(hello(token, epoch))
        return ControllerLane(reader, writer, epoch, token, on_frame, on_lost)
    raise ShardboardError(
        phrase("The stage cannot be reached from here ({said}).", said=joined(said, "; ")),
        "Check the network between them.",
    )

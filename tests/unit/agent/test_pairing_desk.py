"""The pairing listener on loopback with real TLS, its clock in the test's hand; and what it lets in at all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.cluster.address import Address
from app.core.cluster.pairing import NoCodeShown, look, pair
from app.core.errors import ShardboardError
from shardd.agent.admission import BURST, MOST, MOST_PER_ADDRESS, PER_SECOND, Admission
from shardd.agent.pairing import LIFETIME_S, MAX_TRIES, PairingDesk
from shardd.identity import TrustedPeer, TrustedPeers, create_identity
from shardd.rpc import pairing_pb2
from shardd.rpc.pairing_wire import LARGEST_FRAME, WireError, pairing_port, read_message

AGENT, CONTROLLER = create_identity("mini-7"), create_identity("controller")


@dataclass
class Open:
    """An open desk. now: what its clock says."""

    peers: TrustedPeers
    now: list[float] = field(default_factory=lambda: [1000.0])
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk = PairingDesk("127.0.0.1", "mini-7", lambda: AGENT, self.pin, lambda: self.now[0])

    def pin(self, pem: bytes, name: str) -> TrustedPeer:
        return self.peers.add(pem, name, "controller")

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.desk.port - 1)

    async def pair(self, code: str) -> str:
        """Who was paired."""
        return (await pair(self.address, code, CONTROLLER, "studio")).fingerprint

    async def fails(self, code: str) -> str:
        with pytest.raises(ShardboardError) as failed:
            await self.pair(code)
        return str(failed.value)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Open]:
    each = Open(TrustedPeers(folder / "peers"))
    each.desk.reserve(0)
    try:
        yield each
    finally:
        await each.desk.close()


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_the_right_code_pins_both_certificates(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        with pytest.raises(NoCodeShown, match="shardd pair"):
            await each.pair("123456")
        shown = await each.desk.show_code()
        offer = await look(each.address)
        assert (offer.name, offer.problem, offer.tries_left) == ("mini-7", "", MAX_TRIES)
        assert await each.pair(shown.code) == AGENT.fingerprint == offer.fingerprint
        (pinned,) = each.peers.all()
        assert (pinned.fingerprint, pinned.name, pinned.role) == (CONTROLLER.fingerprint, "studio", "controller")
        status = each.desk.status
        assert status and status.state == "paired" and status.peer == pinned
        assert "was used already" in await each.fails(shown.code)


async def test_a_wrong_code_and_then_the_right_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code
        for left in range(MAX_TRIES - 1, 1, -1):
            assert f"not the code that mini-7 shows. {left} tries are left." in await each.fails(other(code))
        assert "1 try is left." in await each.fails(other(code))
        assert await each.pair(code) == AGENT.fingerprint


async def test_the_tries_are_used_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code
        said = [await each.fails(other(code)) for _ in range(MAX_TRIES + 1)]
        assert "it was the last try" in said[-2] and "Too many wrong codes" in said[-1]
        assert "Too many wrong codes" in await each.fails(code)
        assert each.peers.all() == ()
        fresh = (await each.desk.show_code()).code
        assert await each.pair(fresh) == AGENT.fingerprint


async def test_a_code_expires(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code
        each.now[0] += LIFETIME_S - 0.1
        assert (await look(each.address)).problem == ""
        each.now[0] += 0.2
        assert "has expired" in (await look(each.address)).problem
        assert "has expired" in await each.fails(code)
        assert each.peers.all() == ()


async def test_a_new_code_makes_the_former_void(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        first = (await each.desk.show_code()).code
        second = (await each.desk.show_code()).code
        if first != second:
            assert "not the code" in await each.fails(first)
        await each.desk.hide_code()
        with pytest.raises(NoCodeShown):
            await each.pair(second)


async def test_an_exchange_that_breaks_off_uses_up_a_try(tmp_path: Path) -> None:
    """Or it could be repeated without end until a guess is right."""
    from app.core.cluster.pairing import _connected
    from shardd.identity.pairing import Exchange
    from shardd.rpc.pairing_wire import write_message

    async with opened(tmp_path) as each:
        await each.desk.show_code()
        async with _connected(each.address) as line:
            guess = Exchange("controller", "000000", CONTROLLER.fingerprint, AGENT.fingerprint, b"")
            begin = pairing_pb2.PairingBegin(certificate=CONTROLLER.certificate_der, element=guess.element)
            write_message(line.writer, begin)
            await read_message(line.reader, pairing_pb2.PairingElement)
        assert (await look(each.address)).tries_left == MAX_TRIES - 1


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x00", b"\xff\xff" + b"x" * 100, b"\x10\x01" + bytes(4097), b"\x00\x03abc", b"\x00\x00", b"GET / HTTP/1.1"],
)
async def test_bytes_that_are_no_exchange(sent: bytes, tmp_path: Path) -> None:
    from app.core.cluster.pairing import _connected

    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code
        with pytest.raises(ShardboardError, match="broke while pairing"):
            async with _connected(each.address) as line:
                line.writer.write(sent)
                line.writer.write_eof() if line.writer.can_write_eof() else None
                if sent in (b"", b"\x00"):
                    line.writer.close()
                while True:
                    await read_message(line.reader, pairing_pb2.PairingEnd)
        assert await each.pair(code) == AGENT.fingerprint


@pytest.mark.parametrize("certificate", [b"", b"x" * 100, b"x" * 3000, CONTROLLER.certificate_pem])
async def test_a_certificate_that_is_none_is_not_pinned(certificate: bytes, tmp_path: Path) -> None:
    from dataclasses import replace as changed

    class Forged(type(CONTROLLER)):  # type: ignore[misc]
        @property
        def certificate_der(self) -> bytes:
            return certificate

        @property
        def fingerprint(self) -> str:
            import hashlib

            return hashlib.sha256(certificate).hexdigest()

    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code
        forged = Forged(CONTROLLER.name, CONTROLLER.certificate_pem, CONTROLLER.key_pem)
        with pytest.raises(ShardboardError):
            await pair(each.address, code, changed(forged), "studio")
        assert each.peers.all() == ()


async def test_wrong_tries_by_the_hundred_cost_a_bounded_amount(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        code = (await each.desk.show_code()).code

        async def wrong() -> str:
            try:
                await pair(each.address, other(code), CONTROLLER, "attacker")
            except ShardboardError as error:
                return str(error)
            raise AssertionError("a wrong code got through")

        said: list[str] = []
        for _ in range(10):
            said += await asyncio.gather(*(wrong() for _ in range(30)))
        wrong_codes = [text for text in said if "not the code" in text]
        assert len(said) == 300 and len(wrong_codes) <= MAX_TRIES
        assert each.peers.all() == ()
        assert len(each.desk._handlers) <= MOST


async def test_a_taken_port_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            each.desk._release()
            each.desk.port = taken.getsockname()[1]
            with pytest.raises(Exception, match="No machine can pair through port"):
                await each.desk.show_code()


@pytest.mark.parametrize(
    ("arrivals", "entered"),
    [
        ([("a", 0.0)] * (MOST_PER_ADDRESS + 3), MOST_PER_ADDRESS),
        ([(str(n), 0.0) for n in range(MOST + 5)], MOST),
    ],
)
def test_how_many_may_be_inside(arrivals: list[tuple[str, float]], entered: int) -> None:
    admission = Admission(lambda: 0.0)
    assert sum(admission.enter(address) for address, _ in arrivals) == entered


def test_how_often_strangers_may_knock() -> None:
    now = [0.0]
    admission = Admission(lambda: now[0])

    def knock() -> bool:
        if inside := admission.enter("a"):
            admission.leave("a")
        return inside

    assert sum(knock() for _ in range(1000)) == BURST
    now[0] += 2.0
    assert sum(knock() for _ in range(1000)) == 2 * PER_SECOND
    now[0] += 3600.0
    assert sum(knock() for _ in range(1000)) == BURST


@pytest.mark.parametrize(("port", "beside"), [(8101, 8102), (65534, 65535), (65535, 65534)])
def test_where_an_agent_pairs(port: int, beside: int) -> None:
    assert pairing_port(port) == beside


async def test_a_frame_that_is_too_large_is_not_read() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data((LARGEST_FRAME + 1).to_bytes(2, "big"))
    with pytest.raises(WireError, match="4097 bytes"):
        await read_message(reader, pairing_pb2.PairingHello)

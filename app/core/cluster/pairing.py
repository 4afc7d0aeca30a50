"""Pairing with an agent by the code that it shows: the controller's end of shardd.agent.pairing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from app.core.cluster.address import Address
from app.core.cluster.node import KnownNode
from app.core.cluster.versions import protocol_problem
from app.core.errors import ShardboardError, UsageError
from app.core.text import phrase
from shardd.host.names import clean_name
from shardd.identity import TLS_NAME, Identity, IdentityError, fingerprint_of
from shardd.identity.pairing import Exchange, PairingError, clean_code, proves
from shardd.identity.tls import pairing_client_context
from shardd.rpc import pairing_pb2
from shardd.rpc.pairing_wire import WireError, pairing_port, prologue, read_message, write_message

DIAL_S = 5.0
EXCHANGE_S = 10.0
SHOW_A_CODE = phrase("Show a code on that machine with: shardd pair")


class NoCodeShown(ShardboardError):
    """Nothing listens where a code is asked for."""


@dataclass(frozen=True, slots=True)
class PairingOffer:
    """What an agent that shows a code says of itself. Nothing of it is proven.

    problem: why no code can be typed now, with a remedy, as one text; "" where one can.
    """

    name: str
    fingerprint: str
    tries_left: int
    protocol_fits: bool
    problem: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection on which the agent has said hello."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    hello: pairing_pb2.PairingHello
    said: bytes
    certificate_der: bytes
    name: str


def state_problem(name: str, state: pairing_pb2.PairingState) -> str:
    """Why the code that was shown does not serve, or ""."""
    match state:
        case pairing_pb2.PAIRING_STATE_OPEN:
            return ""
        case pairing_pb2.PAIRING_STATE_USED_UP:
            return phrase(
                "Too many wrong codes were tried on {name}. Show a new one there with: shardd pair", name=name
            )
        case pairing_pb2.PAIRING_STATE_EXPIRED:
            return phrase("The code on {name} has expired. Show a new one there with: shardd pair", name=name)
        case pairing_pb2.PAIRING_STATE_PAIRED:
            return phrase("The code on {name} was used already. Show a new one there with: shardd pair", name=name)
        case _:
            return phrase("{name} does not say whether it shows a code. Is it of the same version?", name=name)


async def look(address: Address) -> PairingOffer:
    """Who shows a code at this address. Raises NoCodeShown, or ShardboardError where something else answers."""
    async with _connected(address) as line:
        hello = line.hello
        wrong_version = protocol_problem(line.name, clean_name(hello.version), hello.protocol)
        problem = wrong_version or state_problem(line.name, hello.state)
        fingerprint = fingerprint_of(line.certificate_der)
        return PairingOffer(line.name, fingerprint, hello.tries_left, not wrong_version, problem)


async def pair(address: Address, code: str, identity: Identity, own_name: str) -> KnownNode:
    """Proves to the agent that we know its code, and that it does. It has pinned us then; pinning it is the caller's.

    Raises UsageError for what is no code, NoCodeShown, and ShardboardError saying what went wrong.
    """
    try:
        code = clean_code(code)
    except PairingError as error:
        raise UsageError(error.cause, error.remedy) from None
    async with _connected(address) as line:
        problem = protocol_problem(line.name, clean_name(line.hello.version), line.hello.protocol)
        problem = problem or state_problem(line.name, line.hello.state)
        if problem:
            raise ShardboardError(problem)
        try:
            await _prove(line, code, identity, own_name)
        except IdentityError as error:
            raise ShardboardError(error.cause, error.remedy) from error
        return KnownNode(line.name, str(address), ssl.DER_cert_to_PEM_cert(line.certificate_der).encode())


async def _prove(line: _Line, code: str, identity: Identity, own_name: str) -> None:
    before = prologue(line.said, own_name)
    agent = fingerprint_of(line.certificate_der)
    exchange = Exchange("controller", code, identity.fingerprint, agent, before)
    write_message(
        line.writer,
        pairing_pb2.PairingBegin(name=own_name, certificate=identity.certificate_der, element=exchange.element),
    )
    element, data = await read_message(line.reader, pairing_pb2.PairingElement)
    if not element.element:  # no code is valid any more: an end came instead
        end = pairing_pb2.PairingEnd.FromString(data)
        raise ShardboardError(
            state_problem(line.name, end.state)
            or phrase("{name} refused. {show_a_code}", name=line.name, show_a_code=SHOW_A_CODE)
        )
    ours, theirs = exchange.finish(element.element)
    write_message(line.writer, pairing_pb2.PairingProof(proof=ours))
    end, _ = await read_message(line.reader, pairing_pb2.PairingEnd)
    if end.problem:
        raise ShardboardError(phrase("{name}: {problem}", name=line.name, problem=clean_name(end.problem, 300)))
    if end.state == pairing_pb2.PAIRING_STATE_PAIRED and end.proof:
        if proves(end.proof, theirs):
            return
        raise ShardboardError(
            phrase(
                "The machine at this address does not know the code that {name} shows: it is another one.",
                name=line.name,
            ),
            "Check the address, and unpair there what was paired just now.",
        )
    if end.state == pairing_pb2.PAIRING_STATE_OPEN:
        tries = (
            phrase("1 try is") if end.tries_left == 1 else phrase("{tries_left} tries are", tries_left=end.tries_left)
        )
        raise ShardboardError(
            phrase("That is not the code that {name} shows.", name=line.name), phrase("{tries} left.", tries=tries)
        )
    if end.state == pairing_pb2.PAIRING_STATE_USED_UP:
        raise ShardboardError(
            phrase("That is not the code that {name} shows, and it was the last try.", name=line.name),
            "Show a new code there with: shardd pair",
        )
    raise ShardboardError(state_problem(line.name, end.state))


@contextlib.asynccontextmanager
async def _connected(address: Address) -> AsyncGenerator[_Line]:
    port = pairing_port(address.port)
    broken = ShardboardError(
        phrase("The connection to {address} broke while pairing.", address=address),
        "Show a new code there with: shardd pair",
    )
    try:
        dialling = asyncio.open_connection(
            address.host,
            port,
            ssl=pairing_client_context(),
            server_hostname=TLS_NAME,
            ssl_handshake_timeout=DIAL_S,
            limit=2 * 4096,
        )
        reader, writer = await asyncio.wait_for(dialling, DIAL_S)
    except ConnectionRefusedError:
        raise NoCodeShown(
            phrase("No code is shown at {address}, or not any more.", address=address), SHOW_A_CODE
        ) from None
    except ssl.SSLError:
        raise ShardboardError(
            phrase("Another program than shardd answers at port {port}.", port=port), "Check the address."
        ) from None
    except ConnectionError:  # it hung up: many connections are made there at the moment
        raise ShardboardError(
            phrase("{address} takes no more connections just now.", address=address), "Try again in some seconds."
        ) from None
    except TimeoutError:
        raise ShardboardError(
            phrase("{address} does not answer.", address=address), "Is the machine awake, and on the same network?"
        ) from None
    except (OSError, UnicodeError):
        raise ShardboardError(
            phrase("There is no way to {address}.", address=address), "Check the address and this machine's network."
        ) from None
    try:
        async with asyncio.timeout(EXCHANGE_S):
            hello, said = await read_message(reader, pairing_pb2.PairingHello)
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            name = clean_name(hello.name) or str(address)
            yield _Line(reader, writer, hello, said, certificate, name)
    except (WireError, TimeoutError, OSError) as error:
        raise broken from error
    finally:
        writer.transport.abort()

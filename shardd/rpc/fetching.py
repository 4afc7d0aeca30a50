"""Fetching units from another machine that was told to serve them: the other end of Shards.ServeUnit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from shardd.identity import Identity
from shardd.rpc import agent_pb2
from shardd.rpc.arriving import arriving
from shardd.rpc.options import MAX_PUSH_BYTES, channel_credentials, channel_options
from shardd.rpc.pieces import data_of, serve_call
from shardd.store import Store, StoreError

REACH_S = 5.0
QUIET_S = 20.0
TELL_BYTES = 8 << 20


async def fetch_units(
    store: Store, identity: Identity, request: agent_pb2.FetchUnitsRequest
) -> AsyncIterator[agent_pb2.FetchProgress]:
    """Fetches one unit after the other; a unit that cannot be had is reported and does not end the rest."""
    channel = await _reach(request, identity)
    if channel is None:
        for unit in request.units:
            yield agent_pb2.FetchProgress(digest=unit.digest, problem="The machine that holds it cannot be reached.")
        return
    try:
        serve = serve_call(channel)
        for unit in request.units:
            async for progress in _fetch(serve, store, request.token, unit):
                yield progress
    finally:
        await channel.close()


async def _reach(request: agent_pb2.FetchUnitsRequest, identity: Identity) -> grpc.aio.Channel | None:
    """A channel to the first address that answers."""
    credentials = channel_credentials(identity, request.certificate)
    for address in request.addresses:
        target = f"[{address}]:{request.port}" if ":" in address else f"{address}:{request.port}"
        channel = grpc.aio.secure_channel(target, credentials, options=channel_options(MAX_PUSH_BYTES))
        try:
            await asyncio.wait_for(channel.channel_ready(), REACH_S)
            return channel
        except TimeoutError:
            await channel.close()
    return None


async def _fetch(
    serve: Callable[[agent_pb2.ServeUnitRequest], Any], store: Store, token: bytes, unit: agent_pb2.UnitReference
) -> AsyncIterator[agent_pb2.FetchProgress]:
    arrived = told = 0
    try:
        async with arriving(store, unit.digest, unit.bytes) as writer:
            if writer.remaining:
                order = agent_pb2.ServeUnitRequest(token=token, digest=unit.digest, offset=writer.offset)
                pieces = aiter(serve(order))
                while writer.remaining:
                    data = data_of(await asyncio.wait_for(anext(pieces), QUIET_S))
                    await asyncio.to_thread(writer.write, data)
                    arrived += len(data)
                    if arrived - told >= TELL_BYTES:
                        told = arrived
                        yield agent_pb2.FetchProgress(digest=unit.digest, done_bytes=arrived)
            await asyncio.to_thread(writer.finish)
    except StopAsyncIteration:
        problem = "The machine that holds it ended too early."
    except TimeoutError:
        problem = f"The machine that holds it sent nothing for {QUIET_S:.0f} s."
    except grpc.aio.AioRpcError as error:
        problem = f"The machine that holds it refused: {error.details() or error.code().name}"
    except StoreError as error:
        problem = str(error)
    else:
        yield agent_pb2.FetchProgress(digest=unit.digest, done_bytes=arrived, whole=True)
        return
    yield agent_pb2.FetchProgress(digest=unit.digest, done_bytes=arrived, problem=problem)

"""How soon does a revocation cut what is open? python -m tests.bench.revoking [--rounds 5]

In each round two agents answer; the second forgets its controller while a heartbeat, the stages' events, a push and a
lane of that controller are open there. Prints how long after the revocation each of these ended, and its stage.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil

from app.core.cluster.client import AgentError
from app.core.controller import Controller
from app.core.library.models import BUILT_IN
from shardd.identity import TrustedPeers
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import ShardsStub
from shardd.rpc.options import channel_credentials, channel_options
from shardd.stage.door import dial
from shardd.stage.lane import LaneClosed
from tests.clusters import deployed

NODE = "local-2"
PROMISED_S = 1.0


async def until_refused(calls: AsyncIterator[Any]) -> float:
    """When a stream of answers ended."""
    with contextlib.suppress(AgentError):
        async for _ in calls:
            pass
    return time.perf_counter()


async def until_cut(push: Awaitable[Any]) -> float:
    with contextlib.suppress(grpc.aio.AioRpcError):
        await push
    return time.perf_counter()


async def pieces() -> AsyncIterator[agent_pb2.UnitPiece]:
    """A push that would take a while."""
    yield agent_pb2.UnitPiece(header=agent_pb2.UnitPiece.Header(digest="ab" * 32, bytes=1 << 30))
    while True:
        await asyncio.sleep(0.02)
        yield agent_pb2.UnitPiece(data=bytes(1000))


async def until_lane_ends(controller: Controller) -> float:
    node = controller.nodes[NODE]
    (stage,) = (await node.client.list_stages()).stages
    grant = await node.client.grant_lane(stage.stage_id)
    lane = await asyncio.to_thread(
        dial, ["127.0.0.1"], grant.port, controller.identity, node.known.certificate_pem, grant.token, stage.epoch
    )

    def read() -> float:
        try:
            while True:
                lane.receive()
        except LaneClosed:
            return time.perf_counter()
        finally:
            lane.dispose()

    return await asyncio.to_thread(read)


async def until_gone(process: psutil.Process) -> float:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.002)
    return time.perf_counter()


def connections_to(port: int) -> set[int]:
    """This process's own ports of them."""
    return {
        each.laddr.port
        for each in psutil.Process().net_connections("tcp")
        if each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED
    }


async def until_closed(port: int) -> float:
    """When the connections that stand now are gone; new ones are refused."""
    standing = connections_to(port)
    while standing & connections_to(port):
        await asyncio.sleep(0.01)
    return time.perf_counter()


async def measured(controller: Controller, agents: Path) -> dict[str, float]:
    """Seconds from the revocation to the end of each."""
    assert controller.local_agents
    node = controller.nodes[NODE]
    (process,) = psutil.Process(controller.local_agents.process_ids[1]).children()
    credentials = channel_credentials(controller.identity, node.known.certificate_pem)
    async with grpc.aio.secure_channel(str(node.address), credentials, options=channel_options()) as channel:
        waiting = {
            "heartbeat": until_refused(node.client.watch(100)),
            "events": until_refused(node.client.watch_stages()),
            "push": until_cut(ShardsStub(channel).PushUnit(pieces())),
            "lane": until_lane_ends(controller),
            "stage": until_gone(process),
        }
        tasks = {name: asyncio.create_task(each) for name, each in waiting.items()}
        await asyncio.sleep(1.0)  # all of them are under way
        tasks["connection"] = asyncio.create_task(until_closed(node.address.port))
        over = [name for name, task in tasks.items() if task.done()]
        if over:
            raise SystemExit(f"ended before the revocation: {over}")
        began = time.perf_counter()
        TrustedPeers(agents / NODE / "peers").remove(controller.identity.fingerprint)
        return {name: await task - began for name, task in tasks.items()}


async def run(rounds: int) -> None:
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="shardboard-", ignore_cleanup_errors=True) as folder:
            agents = Path(folder) / "agents"
            async with deployed(BUILT_IN, 2, folder=Path(folder) / "controller", agents_folder=agents) as controller:
                for name, seconds in (await measured(controller, agents)).items():
                    took[name].append(seconds)
    for name, times in took.items():
        print(f"{name:10} ended after {statistics.median(times):.2f} s, at most {max(times):.2f} s")
    worst = max(max(times) for times in took.values())
    print(f"{rounds} revocations; the slowest end after {worst:.2f} s, promised {PROMISED_S:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(run(parser.parse_args().rounds))


if __name__ == "__main__":
    main()

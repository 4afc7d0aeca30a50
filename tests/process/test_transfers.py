"""Shards on their way: what is sent once, what machines pass on, what survives kills, cuts and full stores."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from blake3 import blake3

from app.core.cluster.client import AgentError
from app.core.cluster.keys import OwnKey
from app.core.cluster.local_agents import LocalAgents
from app.core.cluster.node import Node
from app.core.cluster.nodes import NodeKeys
from app.core.cluster.registry import NodeRegistry
from app.core.controller import Controller
from app.core.deployment.deployment import DeploymentFailed
from app.core.deployment.push import AWAY, bring_shards, shard_orders
from app.core.deployment.source import model_source
from app.core.generation.request import GenerationRequest
from app.core.library.digests import DigestCache
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import even_split, parse_placement
from shardd.identity import create_identity
from shardd.model.survey import survey
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub, ShardsStub
from shardd.rpc.options import PIECE_BYTES, channel_credentials, channel_options
from tests.agents import RUN, shardd
from tests.clusters import ask, deploy_evenly
from tests.process.conftest import Opener, chat

NAMES = ("local-1", "local-2", "local-3")


@pytest.fixture(scope="module")
def large(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of some 120 MB, so that a push takes a while."""
    directory = tmp_path_factory.mktemp("models") / "large"
    tool = shared / "tools" / "make_model.py"
    sizes = ["--hidden", "512", "--layers", "8", "--heads", "8", "--kv-heads", "4", "--inter", "1536"]
    subprocess.run([sys.executable, str(tool), str(directory), *sizes], check=True, capture_output=True)
    return directory


def opened(tmp_path: Path, count: int = 2) -> Controller:
    """A controller with agents whose shards stay in tmp_path."""
    return Controller(
        controller_paths(tmp_path / "controller"),
        local_agents=NAMES[:count],
        agents_folder=tmp_path / "agents",
        known_nodes=False,
        discover=False,
    )


def stored(tmp_path: Path, name: str) -> int:
    """Bytes in an agent's store, partial units included."""
    folder = tmp_path / "agents" / name / "store"
    total = 0
    for path in (*folder.glob("units/*"), *folder.glob("partial/*")):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def greedy(prompt: list[int]) -> GenerationRequest:
    return GenerationRequest(prompt_ids=tuple(prompt), max_tokens=12, ignore_end=True)


@pytest.mark.in_turn
async def test_kill_9_at_ten_random_moments_of_a_push(large: Path, tmp_path: Path, reference) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    total = sum(file.stat().st_size for file in large.glob("*.safetensors"))
    kept = 0
    for _ in range(10):
        controller = opened(tmp_path, 1)
        try:
            await controller.choose_model(str(large))
            await controller.start()
            await controller.wait_ready()
            assert stored(tmp_path, "local-1") >= kept, seed
            task = asyncio.create_task(controller.deploy(even_split(NAMES[:1], 8), 512))
            moment = chance.uniform(kept, total)
            while stored(tmp_path, "local-1") < moment and not task.done():
                await asyncio.sleep(0.001)
            assert controller.local_agents is not None
            os.kill(controller.local_agents.process_ids[0], signal.SIGKILL)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        finally:
            await controller.close()
        kept = stored(tmp_path, "local-1") // 2  # what was not yet believed may be hashed again, but not sent
    before = stored(tmp_path, "local-1")
    controller = opened(tmp_path, 1)
    try:
        await controller.choose_model(str(large))
        await controller.start()
        await controller.wait_ready()
        await controller.deploy(even_split(NAMES[:1], 8), 512)
        assert controller.deployment is not None
        (transfer,) = controller.deployment.transfers
        assert transfer.sent_bytes <= total - before + 100_000, seed
        assert transfer.already_bytes >= before - 100_000, seed
        prompt = (await controller.tokenizer()).encode("one two three")
        result = await ask(controller, greedy(prompt))
    finally:
        await controller.close()
    assert list(result.token_ids) == reference(large).run(prompt, 12)["token_ids"], seed


@pytest.mark.in_turn
async def test_units_leave_the_controller_once_and_machines_pass_them_on(large: Path, cluster: Opener) -> None:
    async with cluster(large, 3, "0-1,2-4,5-7") as controller:
        first = controller.deployment
        assert first is not None and first.fetched_bytes < 20_000, "the blueprint, which all of them need"
        inventory = controller.snapshot().model.inventory  # type: ignore[union-attr]
        layer = next(unit.nbytes for unit in inventory.units if unit.name == "layer.2")
        before = (await ask(controller, chat("one two"))).token_ids
        await controller.deploy(parse_placement("0-3,4-5,6-7", NAMES, 8), 512)
        moved = controller.deployment
        assert moved is not None and moved.sent_bytes == 0, "every machine's layers are on some machine"
        assert 3 * layer <= moved.fetched_bytes < 3.03 * layer, "layers 2, 3 and 5, and 1 % more at most"
        assert (await ask(controller, chat("one two"))).token_ids == before
        await controller.deploy(parse_placement("0-1,2-4,5-7", NAMES, 8), 512)
        back = controller.deployment
        assert back is not None and back.sent_bytes == back.fetched_bytes == 0
        assert all(transfer.already_bytes > 0 for transfer in back.transfers)


async def test_a_tied_embedding_is_sent_once(shared: Path, cluster: Opener) -> None:
    """Head and tail both need it: the head's machine gives it to the tail's."""
    async with cluster(shared / "models" / "tinychat-llama", 3) as controller:
        deployment = controller.deployment
        assert deployment is not None
        inventory = controller.snapshot().model.inventory  # type: ignore[union-attr]
        if not inventory.tied:
            pytest.skip("this model has a head of its own")
        assert deployment.sent_bytes < inventory.total_bytes * 1.05
        assert deployment.fetched_bytes >= inventory.units[0].nbytes


@pytest.mark.in_turn
async def test_a_machine_that_dies_while_it_passes_units_on(large: Path, tmp_path: Path) -> None:
    controller = opened(tmp_path, 2)
    try:
        await controller.choose_model(str(large))
        await controller.start()
        await controller.wait_ready()
        await controller.deploy(parse_placement("local-2=0-7", NAMES[:2], 8), 512)
        await controller.undeploy()
        task = asyncio.create_task(controller.deploy(parse_placement("local-1=0-7", NAMES[:2], 8), 512))
        while stored(tmp_path, "local-1") < 10_000_000 and not task.done():
            await asyncio.sleep(0.001)
        assert controller.local_agents is not None
        os.kill(controller.local_agents.process_ids[1], signal.SIGKILL)
        await task
        assert controller.deployment is not None
        (transfer,) = controller.deployment.transfers
        assert transfer.fetched_bytes > 0 and transfer.sent_bytes > 0 and transfer.retries >= 1
        assert transfer.fetched_bytes + transfer.sent_bytes < stored(tmp_path, "local-1") * 1.02
    finally:
        await controller.close()


async def test_units_are_served_to_whom_they_were_granted_and_nobody_else(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2) as controller:
        source = controller.nodes["local-1"]
        friend, stranger = create_identity("friend"), create_identity("stranger")
        digests = sorted(path.name for path in _units(controller, "local-1").glob("units/*"))
        token = await source.client.grant_units(digests[:1], friend.certificate_pem)

        async def served(identity: Any, token: bytes, digest: str) -> bytes:
            credentials = channel_credentials(identity, source.known.certificate_pem)
            async with grpc.aio.secure_channel(str(source.address), credentials, options=channel_options(2 << 20)) as c:
                order = agent_pb2.ServeUnitRequest(token=token, digest=digest)
                return b"".join([piece.data async for piece in ShardsStub(c).ServeUnit(order, timeout=60)])

        assert served is not None and len(await served(friend, token, digests[0])) > 1000
        for identity, some, digest in (
            (friend, token, digests[1]),
            (friend, b"x" * 32, digests[0]),
            (stranger, token, digests[0]),
        ):
            with pytest.raises(grpc.aio.AioRpcError):
                await served(identity, some, digest)
        credentials = channel_credentials(friend, source.known.certificate_pem)
        async with grpc.aio.secure_channel(str(source.address), credentials, options=channel_options()) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await MachineStub(channel).Describe(agent_pb2.DescribeRequest(), timeout=60)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_source_that_changes_is_refused(large: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(large, copy)
    weights = next(copy.glob("*.safetensors"))
    controller = opened(tmp_path, 1)
    try:
        await controller.choose_model(str(copy))
        await controller.start()
        await controller.wait_ready()
        task = asyncio.create_task(controller.deploy(even_split(NAMES[:1], 8), 512))
        while stored(tmp_path, "local-1") < 2_000_000 and not task.done():
            await asyncio.sleep(0.001)
        size = weights.stat().st_size
        with weights.open("r+b") as file:
            for place in range(size // 2, size - 8, 1 << 20):
                file.seek(place)
                file.write(b"\x01\x02\x03\x04")
        with pytest.raises(DeploymentFailed, match="files changed while"):
            await task
        await controller.deploy(even_split(NAMES[:1], 8), 512)
    finally:
        await controller.close()


async def test_the_shards_used_longest_ago_give_way(large: Path, shared: Path, tmp_path: Path) -> None:
    total = sum(file.stat().st_size for file in large.glob("*.safetensors"))
    controller = Controller(
        controller_paths(tmp_path / "controller"),
        local_agents=NAMES[:1],
        agents_folder=tmp_path / "agents",
        store_limit=total + 12_000_000,
        known_nodes=False,
        discover=False,
    )
    try:
        await controller.start()
        await controller.wait_ready()
        node = controller.nodes["local-1"]

        async def deploy(model: Path) -> None:
            await controller.choose_model(str(model))
            await deploy_evenly(controller, 512)

        await deploy(built_in_model())
        await deploy(shared / "models" / "tinychat-gpt2")
        await deploy(built_in_model())  # used again: the other one is older now
        await deploy(large)
        held = {shard.model for shard in node.shards}
        assert "large" in held and "tinychat-gpt2" not in held
        assert stored(tmp_path, "local-1") <= total + 12_000_000
        data = str(tmp_path / "agents" / "local-1")
        said = await asyncio.to_thread(shardd, "status", "--data", data, "--json")
        assert f'"store_limit": {total + 12_000_000}' in said.stdout and '"running": true' in said.stdout
        refused = await asyncio.to_thread(shardd, *RUN, data)
        assert refused.returncode == 1 and "Another shardd already uses" in refused.stderr
    finally:
        await controller.close()


def _units(controller: Controller, name: str) -> Path:
    assert controller.local_agents is not None and controller.local_agents.folder is not None
    return controller.local_agents.folder / name / "store"


class CuttingProxy:
    """Passes bytes on to a port of this machine; cut() breaks every connection, and new ones are taken again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: list[asyncio.StreamWriter] = []
        self.passed = 0

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def shut(self) -> None:
        """Shuts every connection before it returns; what reached the proxy is lost."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.passed += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def node_behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Node, CuttingProxy]]:
    """A node that is ready, and the proxy through which everything to its agent goes."""
    key = OwnKey(folder / "identity")
    keys = NodeKeys(key, NodeRegistry(controller_paths(folder / "controller")))
    async with LocalAgents(NAMES[:1], key.current, folder=folder / "agents") as agents:
        (known,) = agents.nodes
        async with CuttingProxy(int(known.address.rpartition(":")[2])) as proxy:
            through = replace(known, address=f"127.0.0.1:{proxy.port}")
            node = Node(through, keys, lambda: None, lambda *_: None, lambda *_: None)
            node.start()
            try:
                await node.wait_ready(10)
                yield node, proxy
            finally:
                await node.close()


async def test_a_push_goes_on_after_the_network_was_cut(large: Path, tmp_path: Path) -> None:
    inventory = await asyncio.to_thread(survey, large)
    source = await asyncio.to_thread(model_source, inventory, DigestCache(tmp_path / "digests"), lambda done: None)
    async with node_behind_a_proxy(tmp_path) as (node, proxy):
        orders = shard_orders([node], [(0, 7)], inventory, source)
        task = asyncio.create_task(bring_shards("large", inventory, orders, []))
        for share in (0.2, 0.6):
            while proxy.passed < share * inventory.total_bytes and not task.done():
                await asyncio.sleep(0.001)
            proxy.cut()
        _, (transfer,) = await task
    total = sum(blob.size for blob in orders[0].blobs)
    assert transfer.retries >= 2
    # What was on its way at each cut is sent again, and nothing else.
    assert total <= transfer.sent_bytes < total + 2 * 60_000_000


async def test_a_connection_that_breaks_at_any_piece_of_a_unit_is_a_failure_to_try_again(tmp_path: Path) -> None:
    piece = b"x" * PIECE_BYTES
    async with node_behind_a_proxy(tmp_path) as (node, proxy):
        for number, moment in enumerate([1, 2, 3, 4]):
            await node.wait_ready(10)
            given = iter([piece] * 4)
            came = iter(range(1, 5))

            def sent(_: int, came: Iterator[int] = came, moment: int = moment) -> None:
                if next(came) == moment:
                    proxy.shut()
                    time.sleep(0.03)  # gRPC hears of it before the loop does

            digest = blake3(str(number).encode()).hexdigest()
            with pytest.raises(AgentError) as failed:
                await node.client.push_unit(digest, 4 * PIECE_BYTES, 0, partial(next, given, None), sent)
            assert failed.value.code in AWAY, failed.value

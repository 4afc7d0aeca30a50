"""Layers that move while answers are being written: another placement beside the running one, then answers go over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling, TokenEvent
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import Placement, parse_placement
from app.core.snapshot import DeploymentState
from shardd.stage.orders import PipelineOptions
from tests.agents import Agent, stop_all
from tests.clusters import ask
from tests.process.conftest import Opener, eventually
from tests.process.test_pipeline import stage_process
from tests.process.test_recovery import hurt, kinds

SLOW = PipelineOptions(layer_delay_ms=2.0)
CONTEXT = 512


def story(prompt: str = "Once", tokens: int = 60, **sampling: object) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, max_tokens=tokens, ignore_end=True, sampling=Sampling(**sampling))  # type: ignore[arg-type]


def placed(controller: Controller, text: str) -> Placement:
    return parse_placement(text, tuple(controller.nodes), 12)


def stage_ids(controller: Controller) -> dict[str, str]:
    assert controller.deployment is not None
    return {stage.node: stage.stage_id for stage in controller.deployment.stages}


def stage_processes(controller: Controller, node: str) -> list[psutil.Process]:
    agents = controller.local_agents
    assert agents is not None
    agent = psutil.Process(agents.process_ids[agents.names.index(node)])
    return [child for child in agent.children() if "shardd.stage" in " ".join(child.cmdline())]


@contextlib.asynccontextmanager
async def prepared(controller: Controller, placement: Placement) -> AsyncIterator[asyncio.Event]:
    """The new stages are loaded beside the running ones, and answers go over when the event is set: however slow the
    machine is, they are being written then."""
    go = asyncio.Event()
    changing = controller._serving.busy
    move = asyncio.create_task(controller.deploy(placement, CONTEXT))
    await eventually(lambda: move.done() or controller.snapshot().deployment.coming == placement, 60)
    await changing.acquire()
    going: asyncio.Task[None] | None = None
    try:

        async def let_go() -> None:
            await go.wait()
            changing.release()

        await eventually(lambda: move.done() or controller.snapshot().deployment.coming is None, 60)
        going = asyncio.create_task(let_go())
        yield go
    finally:
        go.set()
        await (going or let_go())
        await move


async def test_a_boundary_moves_while_answers_are_written(cluster: Opener) -> None:
    requests = [
        story(),
        story("The shard", temperature=0.9, seed=7, repetition_penalty=1.3),
        story("One night", speculate=False),
    ]
    async with cluster(built_in_model(), 3, options=SLOW) as controller:
        plain = [await ask(controller, request) for request in requests]
        before = stage_ids(controller)
        async with prepared(controller, placed(controller, "0-2,3-7,8-11")) as go:
            beside = asyncio.gather(*(ask(controller, request) for request in requests[1:]))
            answers = [(await hurt(controller, requests[0], 10, go.set))[0], *await beside]
        assert [each.token_ids for each in answers] == [each.token_ids for each in plain]
        for each in answers:
            assert kinds(each) == ["moved", "continued"], each.events
            assert each.events[1].message.startswith("Layer 3 moved to local-2, the answer waited ")
            assert [(stage.first, stage.last) for stage in each.stages] == [(0, 2), (3, 7), (8, 11)]
            computed = each.events[1].replayed_tokens
            assert computed[0] == computed[1] > 0 and computed[2] == 0, "local-3 kept its caches"
        after = stage_ids(controller)
        assert after["local-3"] == before["local-3"], "its layers did not change, so its process goes on"
        assert after["local-1"] != before["local-1"] and after["local-2"] != before["local-2"]
        for node in controller.nodes.values():
            assert set(node.stages) == {after[node.name]}, "the old stages are released"
        assert controller.snapshot().deployment.state is DeploymentState.READY
        await controller.deploy(placed(controller, "0-2,3-7,8-11"), CONTEXT)
        assert stage_ids(controller) == after, "what runs like this already is left alone"


@pytest.mark.in_turn
async def test_a_new_stage_that_dies_while_it_loads_changes_nothing(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2, "0-5,6-11", options=SLOW) as controller:
        plain = await ask(controller, story())
        before = stage_ids(controller)
        running = stage_process(controller, "local-2")
        asked = asyncio.create_task(ask(controller, story()))
        move = asyncio.create_task(controller.deploy(placed(controller, "0-3,4-11"), CONTEXT))
        new: list[psutil.Process] = []
        while not new:
            await asyncio.sleep(0.001)
            new = [process for process in stage_processes(controller, "local-2") if process != running]
        new[0].kill()
        with pytest.raises(ShardboardError, match="SIGKILL"):
            await move
        result = await asked
        assert result.token_ids == plain.token_ids and not result.events
        assert stage_ids(controller) == before
        assert controller.snapshot().deployment.state is DeploymentState.READY
        await eventually(lambda: all(len(node.stages) == 1 for node in controller.nodes.values()), 60)
        assert (await ask(controller, story())).token_ids == plain.token_ids


@pytest.mark.in_turn
async def test_a_cluster_grows_while_an_answer_is_written(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3, "local-1=0-3,local-2=4-11", options=SLOW) as controller:
        plain = await ask(controller, story())
        before = stage_ids(controller)
        async with prepared(controller, placed(controller, "0-3,4-7,8-11")) as go:
            result, seen = await hurt(controller, story(), 10, go.set)
        assert result.token_ids == plain.token_ids
        assert "Layers 8 to 11 moved to local-3, the answer waited" in result.events[-1].message
        assert [stage.node for stage in result.stages] == ["local-1", "local-2", "local-3"]
        assert stage_ids(controller)["local-1"] == before["local-1"], "it took its place in the longer pipeline"
        assert sum(isinstance(each, TokenEvent) for each in seen) == 60
        result, _ = await hurt(controller, story(), 10, stage_process(controller, "local-1").kill)
        assert result.token_ids == plain.token_ids, "what moved recovers as everything else"


@contextlib.asynccontextmanager
async def limited_agents(folder: Path, limit: str) -> AsyncIterator[Controller]:
    """A controller of two agents whose owner allows them only so much memory."""
    paths = controller_paths(folder / "controller")
    controller = Controller(paths, known_nodes=False, discover=False, options=SLOW)
    certificate = folder / "certificate.pem"
    certificate.write_bytes(controller.identity.certificate_pem)
    agents: list[Agent] = []
    try:
        await controller.start()
        for number in (1, 2):
            allowed = "--memory-limit", limit, "--trust", str(certificate)
            agents.append(await asyncio.to_thread(Agent, folder / f"mini-{number}", *allowed, name=f"mini-{number}"))
            await controller.add_node(agents[-1].address, agents[-1].ready["fingerprint"])
        await controller.wait_ready()
        yield controller
    finally:
        stop_all(agents)
        await controller.close()


@pytest.mark.in_turn
async def test_where_both_have_no_room_it_is_said(tmp_path: Path) -> None:
    async with limited_agents(tmp_path, "165MB") as controller:
        await controller.choose_model(str(built_in_model()))
        await controller.deploy(placed(controller, "0-5,6-11"), CONTEXT)
        plain = await ask(controller, story())
        beats = [controller.nodes[name] for name in ("mini-1", "mini-2")]
        await eventually(lambda: all(node.beat and node.beat.stages[0].weights_bytes for node in beats))
        updates = controller.generate(story())
        async for update in updates:
            if isinstance(update, TokenEvent):
                break
        with pytest.raises(ShardboardError, match=r"mini-. lacks .* while the present ones still run.*--stop-first"):
            await controller.deploy(placed(controller, "0-3,4-11"), CONTEXT)
        async for update in updates:
            if isinstance(update, GenerationResult):
                assert update.token_ids == plain.token_ids and not update.events
        moving = asyncio.create_task(controller.deploy(placed(controller, "0-3,4-11"), CONTEXT, stop_first=True))
        assert (await ask(controller, story())).token_ids == plain.token_ids, "it waits and goes on"
        await moving
        assert [stage.first for stage in controller.deployment.stages] == [0, 4] if controller.deployment else False


@contextlib.asynccontextmanager
async def another_program(first: Controller, folder: Path) -> AsyncIterator[Controller]:
    """A second controller of the same person, that has taken up what runs."""
    second = Controller(controller_paths(folder), known_nodes=False, discover=False)
    try:
        await second.start()
        assert first.local_agents is not None
        for known in first.local_agents.nodes:
            await second.add_node(known.address, known.fingerprint)
        await second.wait_ready()
        await second.choose_model(str(built_in_model()))
        await second.attach()
        yield second
    finally:
        await second.close()


@pytest.mark.in_turn
async def test_answers_of_another_program_go_over_too(cluster: Opener, tmp_path: Path) -> None:
    async with (
        cluster(built_in_model(), 2, "0-5,6-11", options=SLOW) as controller,
        another_program(controller, tmp_path / "controller") as window,
    ):
        plain = await ask(controller, story())
        swapped = placed(controller, "0-5,6-11").give("local-1", "local-2")
        async with prepared(controller, swapped) as go:
            result, _ = await hurt(window, story(), 10, go.set)
        assert result.token_ids == plain.token_ids, result.events
        assert "Another program moved its layers" in result.events[-1].message
        assert window.deployment is not None and controller.deployment is not None
        assert window.deployment.epoch == controller.deployment.epoch

"""Machines trust each other for the lanes of the deployment they are in, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from shardd.identity import Identity, create_identity, load_or_create_identity
from shardd.stage.door import dial
from shardd.stage.lane import LaneClosed
from tests.clusters import ask, deploy_evenly
from tests.process.conftest import chat


@asynccontextmanager
async def controllers_of(placed: dict[str, tuple[Any, ...]], tmp_path: Path) -> AsyncIterator[list[Controller]]:
    """Controllers by name, each with the model deployed on its own of the agents; all agents know them all."""
    made: list[Controller] = []
    try:
        for name, agents in placed.items():
            controller = Controller(controller_paths(tmp_path / name), discover=False)
            made.append(controller)
            await controller.start()
            for running in agents:
                await controller.add_node(running.address, running.ready["fingerprint"])
            await controller.wait_ready()
            await controller.choose_model(BUILT_IN)
            await deploy_evenly(controller)
        yield made
    finally:
        for controller in made:
            await controller.close()


def comes_in(port: int, certificate_pem: bytes, who: Identity, token: bytes, epoch: int) -> bool:
    """Whether a stage lets somebody in at its lane port: then it asks for the time at once."""
    try:
        lane = dial(["127.0.0.1"], port, who, certificate_pem, token, epoch)
    except LaneClosed:
        return False
    try:
        lane.await_first(60)
    except LaneClosed:
        return False
    finally:
        lane.dispose()
    return True


@pytest.mark.in_turn
async def test_a_stage_lets_in_only_who_belongs_to_its_deployment(agent: Any, tmp_path: Path) -> None:
    trust: list[str] = []
    for name in ("studio", "laptop"):
        load_or_create_identity(tmp_path / name / "identity", "controller")
        (tmp_path / f"{name}.pem").write_bytes((tmp_path / name / "identity" / "certificate.pem").read_bytes())
        trust += ["--trust", str(tmp_path / f"{name}.pem")]
    a, b, c = (agent(*trust, "--name", name) for name in ("a", "b", "c"))
    async with controllers_of({"studio": (a, b), "laptop": (c,)}, tmp_path) as (studio, laptop):
        first, second, other = (load_or_create_identity(each.data / "identity", "") for each in (a, b, c))
        target, (theirs,) = studio.nodes["b"], (await laptop.nodes["c"].client.list_stages()).stages
        (stage,) = (await target.client.list_stages()).stages
        for_first = (await target.client.grant_lane(stage.stage_id, first.certificate_pem)).token
        for_studio = (await target.client.grant_lane(stage.stage_id)).token
        for_other = (await laptop.nodes["c"].client.grant_lane(theirs.stage_id, other.certificate_pem)).token
        for_laptop = (await laptop.nodes["c"].client.grant_lane(theirs.stage_id)).token

        async def comes(who: Identity, token: bytes, epoch: int = stage.epoch) -> bool:
            certificate = second.certificate_pem
            return await asyncio.to_thread(comes_in, stage.lane_port, certificate, who, token, epoch)

        attempts = {
            "a worker of another deployment, with that one's token": (other, for_other, theirs.epoch),
            "the same, who knows this deployment's epoch": (other, for_other, stage.epoch),
            "the same, with a token of this deployment": (other, for_first, stage.epoch),
            "the same, with this controller's token": (other, for_studio, stage.epoch),
            "a worker of this deployment, without a token": (first, b"", stage.epoch),
            "the same, with another deployment's token": (first, for_other, stage.epoch),
            "the same, with its own token and another epoch": (first, for_first, theirs.epoch),
            "the same, with its controller's token": (first, for_studio, stage.epoch),
            "a paired controller that deployed elsewhere": (laptop.identity, b"", stage.epoch),
            "the same, with its own token": (laptop.identity, for_laptop, stage.epoch),
            "the same, with a worker's token": (laptop.identity, for_first, stage.epoch),
            "the controller of this deployment, without a token": (studio.identity, b"", stage.epoch),
            "that one, with a worker's token": (studio.identity, for_first, stage.epoch),
            "the stage's own machine, with a worker's token": (second, for_first, stage.epoch),
            "a stranger, with a token": (create_identity("stranger"), for_first, stage.epoch),
        }
        few = asyncio.Semaphore(6)  # a door has a limit for each address, which would refuse all alike

        async def attempt(who: Identity, token: bytes, epoch: int) -> bool:
            async with few:
                return await comes(who, token, epoch)

        came = await asyncio.gather(*(attempt(*each) for each in attempts.values()))
        assert [name for name, success in zip(attempts, came, strict=True) if success] == []
        # None of it disturbed the deployment, nor used up a token: whom they were meant for comes in, once.
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        for who, token in ((studio.identity, for_studio), (first, for_first)):
            assert await comes(who, token)
            assert not await comes(who, token)

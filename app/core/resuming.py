"""The window's second start: what was deployed when it was closed answers again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.core.deployment.remembered import Remembered, read_remembered, remembered_after, write_remembered
from app.core.errors import SentenceError
from app.core.library.models import BUILT_IN
from app.core.snapshot import DeploymentState, Level, Snapshot
from app.core.text import listed, phrase

if TYPE_CHECKING:
    from app.core.controller import Controller

READY_S = 30.0  # a machine's agent may still be starting too


class Memory:
    """Keeps on disk what runs, from now on."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._file = controller.paths.deployment
        self._before: Snapshot | None = None
        self.kept = read_remembered(self._file)
        controller.subscribe(self._look)

    def _look(self, now: Snapshot) -> None:
        before, self._before = self._before, now
        wanted = remembered_after(self.kept, before, now)
        if wanted == self.kept:
            return
        self.kept = wanted
        try:
            write_remembered(self._file, wanted)
        except OSError as error:
            told = phrase(
                "What is deployed was not noted in {file}: {cause}. It is not taken up when Shardboard starts again.",
                file=self._file,
                cause=error.strerror or error,
            )
            self._controller.note(Level.WARNING, "", told)


async def resume(controller: Controller) -> None:
    """Chooses the model that was deployed last and deploys it as it was, when its machines are ready; what runs still
    is left as it is. Without one: the built-in model on the board. What cannot be is a line of the activity.

    What a run of the program that was killed has left half-done is taken up where it is of use, else unloaded."""
    memory = Memory(controller)
    last = memory.kept
    if last is None:
        await controller.choose_model(BUILT_IN)
        await _all_ready(controller)
        if controller.snapshot().deployment.state is DeploymentState.NONE:
            await controller.tidy()
        return
    try:
        await controller.choose_model(last.directory)
    except SentenceError as error:
        _tell(controller, last, str(error))
        await controller.choose_model(BUILT_IN)
        return
    missing = await _missing(controller, last)
    if missing and _untouched(controller, last) and await _took_up(controller):
        return
    if missing:
        _tell(controller, last, phrase("{machines} did not answer.", machines=listed(missing)))
    elif _untouched(controller, last):
        try:
            await controller.deploy(last.placement, last.context_tokens, spares=last.spares)
        except SentenceError as error:
            _tell(controller, last, str(error))


async def _all_ready(controller: Controller) -> None:
    """Waits for every machine that is known, as long as an agent may take to start."""
    await asyncio.gather(*(node.wait_ready(READY_S) for node in controller.nodes.values()), return_exceptions=True)


async def _took_up(controller: Controller) -> bool:
    """Whether what is loaded of it on the other machines could be taken up; its layers move when somebody asks."""
    try:
        await controller.attach(wanted=False)
    except SentenceError:
        return False
    return True


async def _missing(controller: Controller, last: Remembered) -> list[str]:
    """The machines that are not there in time."""
    names = last.placement.nodes
    waits = [controller.nodes[name].wait_ready(READY_S) for name in names if name in controller.nodes]
    outcomes = iter(await asyncio.gather(*waits, return_exceptions=True))
    return [name for name in names if name not in controller.nodes or isinstance(next(outcomes), BaseException)]


def _untouched(controller: Controller, last: Remembered) -> bool:
    """Whether the person has not begun something else meanwhile."""
    snapshot = controller.snapshot()
    same = snapshot.model is not None and snapshot.model.directory == last.directory
    return same and snapshot.deployment.state is DeploymentState.NONE


def _tell(controller: Controller, last: Remembered, why: str) -> None:
    name = last.directory.rpartition("/")[2]
    told = phrase("{model} was deployed last time and is not now: {why}", model=name, why=why)
    controller.note(Level.WARNING, "", told)

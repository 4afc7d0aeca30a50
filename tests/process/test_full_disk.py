"""A controller whose own disk takes nothing any more: answers go on, and recoveries too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.process.programs import Program, is_token
from tests.process.test_released import stages
from tests.process.test_two_programs import all_exact, continued, ended, four_agents, kill, mended, story


@pytest.mark.in_turn
@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="a running process's limits cannot be changed here")
async def test_answers_outlive_a_loss_on_a_full_disk(agent: Any, program: Any, reference: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    agents = four_agents(agent, folder)
    running: Program = program(folder, agents, story(reference))
    await running.until(is_token)
    # Every write to a file is refused from now on, temporary ones included.
    psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_FSIZE, (0, 0))
    (process,) = stages(agents[0])
    process.kill()
    await running.until(continued)
    kill(agents[1])
    await running.until(continued)
    await ended(running)
    assert all_exact(running) and mended(running) == 2

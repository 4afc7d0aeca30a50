"""Kept caches: a conversation's next turn computes only what is new, whatever happened to the deployment in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling
from app.core.snapshot import DeploymentState
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask
from tests.process.conftest import Opener, eventually

GIGABYTE = 1_000_000_000
PLAIN = PipelineOptions(max_batch=1, speculate=False)
TEXT = "The quick fox liked to play in the garden. "

pytestmark = [pytest.mark.in_turn]


def more(prompt: list[int], count: int = 12, **sampling: object) -> GenerationRequest:
    return GenerationRequest(
        prompt_ids=tuple(prompt),
        max_tokens=count,
        ignore_end=True,
        sampling=Sampling(**sampling),  # type: ignore[arg-type]
    )


async def prompts(controller: Controller, count: int = 3) -> list[list[int]]:
    """Different from their first token on."""
    tokenizer = await controller.tokenizer()
    return [tokenizer.encode(f"{number} {TEXT * 20}")[:200] for number in range(count)]


def next_turn(prompt: list[int], result: GenerationResult) -> list[int]:
    return [*prompt, *result.token_ids, *prompt[20:40]]


def files(controller: Controller) -> list[Path]:
    """Kept caches on the disks of all nodes."""
    agents = controller.local_agents
    assert agents is not None and agents.folder is not None
    return sorted(agents.folder.rglob("*.safetensors"))


def stage_process(controller: Controller, node: int) -> int:
    agents = controller.local_agents
    assert agents is not None
    children = psutil.Process(agents.process_ids[node]).children()
    (found,) = [child.pid for child in children if "shardd.stage" in " ".join(child.cmdline())]
    return found


@pytest.fixture
async def expected(shared: Path, cluster: Opener) -> tuple[list[list[int]], list[tuple[int, ...]]]:
    """The second turns of three conversations, and what is written to them where nothing is kept."""
    options = PipelineOptions(max_batch=1, speculate=False, kept_share=0.0)
    async with cluster(shared / "models" / "tinychat-llama", 1, context=1024, options=options) as controller:
        turns = [next_turn(prompt, await ask(controller, more(prompt))) for prompt in await prompts(controller)]
        results = [await ask(controller, more(turn)) for turn in turns]
        assert [result.reused_tokens for result in results] == [0, 0, 0]
    return turns, [result.token_ids for result in results]


async def test_two_conversations_share_a_system_prompt_and_an_edit_computes_the_rest(
    shared: Path, cluster: Opener
) -> None:
    async with cluster(shared / "models" / "tinychat-llama", 3, context=1024, options=PLAIN) as controller:
        system, one, other = await prompts(controller)
        first = await ask(controller, more([*system, *one]))
        second = await ask(controller, more([*system, *other]))
        third = await ask(controller, more([*system, *other[:50], *one[:30]]))
        again = await ask(controller, more(next_turn([*system, *one], first)))
    assert [each.reused_tokens for each in (first, second, third)] == [0, 200, 250]
    assert again.reused_tokens == 400 + 12 - 1, "all but the last token, which was chosen and never computed"


async def test_the_longest_unused_goes_first_under_a_small_budget(shared: Path, cluster: Opener) -> None:
    options = PipelineOptions(max_batch=1, speculate=False, kv_tokens=1024, kept_share=0.5)
    async with cluster(shared / "models" / "tinychat-llama", 2, context=1024, options=options) as controller:
        one, two, three = await prompts(controller)
        for prompt in (one, two, three):
            await ask(controller, more(prompt, 2))
        reused = [(await ask(controller, more([*prompt, 5], 2))).reused_tokens for prompt in (two, three, one)]
    assert reused == [200, 200, 0], "512 tokens hold two of three"


async def test_from_memory_to_the_disk_and_back(
    shared: Path, cluster: Opener, expected: tuple[list[list[int]], list[tuple[int, ...]]]
) -> None:
    turns, written = expected
    options = PipelineOptions(max_batch=1, speculate=False, kept_share=0.0, spill_bytes=GIGABYTE)
    async with cluster(shared / "models" / "tinychat-llama", 3, context=1024, options=options) as controller:
        for prompt in await prompts(controller):
            await ask(controller, more(prompt))
        await eventually(lambda: len(files(controller)) == 9)
        modes = {path.stat().st_mode & 0o777 for path in files(controller)}
        results = [await ask(controller, more(turn)) for turn in turns]
    assert [result.reused_tokens for result in results] == [211, 211, 211]
    assert [result.token_ids for result in results] == written
    assert modes == {0o600}


@pytest.mark.parametrize("bits", [0, 8])
async def test_after_undeploy_and_deploy(
    bits: int, shared: Path, cluster: Opener, expected: tuple[list[list[int]], list[tuple[int, ...]]]
) -> None:
    turns, written = expected
    options = PipelineOptions(max_batch=1, speculate=False, spill_bytes=GIGABYTE, kept_bits=bits)
    async with cluster(shared / "models" / "tinychat-llama", 3, context=1024, options=options) as controller:
        for prompt in await prompts(controller):
            await ask(controller, more(prompt))
        placement = controller.snapshot().deployment.placement
        assert placement is not None and not files(controller)
        await controller.undeploy()
        assert len(files(controller)) == 9, "what was in memory is on the disk"
        await controller.deploy(placement, 1024)
        results = [await ask(controller, more(turn)) for turn in turns]
        assert [result.reused_tokens for result in results] == [211, 211, 211]
        if not bits:
            assert [result.token_ids for result in results] == written
        # Whoever deploys without it wants none on the disk.
        shard = files(controller)[0].parents[1]
        await controller.undeploy()
        controller._options = PLAIN  # pyright: ignore[reportPrivateUsage]
        await controller.deploy(placement, 1024)
        assert not shard.exists() and not files(controller)


async def test_after_a_stage_was_killed(
    shared: Path, cluster: Opener, expected: tuple[list[list[int]], list[tuple[int, ...]]]
) -> None:
    turns, written = expected
    options = PipelineOptions(max_batch=1, speculate=False, kept_share=0.2, spill_bytes=GIGABYTE, kv_tokens=1024)
    async with cluster(shared / "models" / "tinychat-llama", 3, context=1024, options=options) as controller:
        for prompt in await prompts(controller):
            await ask(controller, more(prompt))
        await eventually(lambda: len(files(controller)) == 6)  # the latest is in memory, the others have no room there
        assert controller.deployment is not None
        port = controller.deployment.stages[1].lane_port
        os.kill(stage_process(controller, 1), signal.SIGKILL)
        await eventually(
            lambda: controller.deployment is not None and controller.deployment.stages[1].lane_port != port
        )
        await eventually(lambda: controller.snapshot().deployment.state is DeploymentState.READY)
        results = [await ask(controller, more(turn)) for turn in turns]
    assert [result.reused_tokens for result in results] == [211, 211, 0]
    assert [result.token_ids for result in results] == written


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def replace_with_noise(path: Path) -> None:
    path.write_bytes(os.urandom(1000))


@pytest.mark.parametrize("damage", [cut, flip, replace_with_noise, Path.unlink])
async def test_a_damaged_file_is_a_miss(
    damage: Callable[[Path], None],
    shared: Path,
    cluster: Opener,
    expected: tuple[list[list[int]], list[tuple[int, ...]]],
) -> None:
    turns, written = expected
    options = PipelineOptions(max_batch=1, speculate=False, kept_share=0.0, spill_bytes=GIGABYTE)
    async with cluster(shared / "models" / "tinychat-llama", 3, context=1024, options=options) as controller:
        for prompt in (await prompts(controller))[:2]:
            await ask(controller, more(prompt))
        await eventually(lambda: len(files(controller)) == 6)
        doomed = [path for path in files(controller) if "local-2" in str(path)]
        assert len(doomed) == 2
        for path in doomed:
            damage(path)
        results = [await ask(controller, more(turn)) for turn in turns]
        assert [result.reused_tokens for result in results] == [0, 0, 0]
        assert [result.token_ids for result in results] == written
        assert all(result.finish_reason == "length" for result in results)
        again = await ask(controller, more(next_turn(turns[0], results[0])))
        assert again.reused_tokens == len(turns[0]) + 11


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.02), (4, 0.5)])
async def test_fewer_bits_change_little(bits: int, bound: float, shared: Path, cluster: Opener) -> None:
    """Log-probabilities of a second turn beside those with caches that were kept as they are."""
    found: list[GenerationResult] = []
    for each in (0, bits):
        options = PipelineOptions(max_batch=1, speculate=False, kept_bits=each)
        async with cluster(shared / "models" / "tinychat-llama", 2, context=1024, options=options) as controller:
            (prompt,) = await prompts(controller, 1)
            turn = next_turn(prompt, await ask(controller, more(prompt)))
            found.append(await ask(controller, more(turn, 16, logprobs=True)))
    plain, changed = found
    assert plain.reused_tokens == changed.reused_tokens == 211
    same = next((n for n, (a, b) in enumerate(zip(*(r.token_ids for r in found), strict=True)) if a != b), 16)
    apart = [abs(a - b) for a, b in zip(plain.logprobs[:same], changed.logprobs[:same], strict=True)]
    print(f"{bits} bits: {same} of 16 tokens the same, log-probabilities at most {max(apart):.5f} apart")
    assert same > 0 and 0 < max(apart) < bound

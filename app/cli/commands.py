"""The commands that ask and answer: generate, chat, demo, plan, nodes, status, deploy, undeploy."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

from app.cli import output
from app.cli.cluster import (
    attach,
    connected,
    context_tokens,
    opened,
    pipeline_options,
    usual_context,
    wanted_placement,
)
from app.cli.output import print_json
from app.cli.prompts import answer_all, read_prompts
from app.core.controller import Controller
from app.core.deployment.live import stages_of
from app.core.deployment.review import available_bytes
from app.core.errors import ShardboardError, UsageError
from app.core.generation.accounting import account, account_json, conditions, explain
from app.core.generation.request import (
    GenerationEventNote,
    GenerationRequest,
    GenerationResult,
    Message,
    Sampling,
    TokenEvent,
)
from app.core.library.library import Library
from app.core.library.weigh import weigh
from app.core.paths import controller_paths
from app.core.placement.plan import plan
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from app.core.settings.store import read_settings
from app.core.snapshot import NodeState
from shardd.host import MemoryReader, describe_host, parse_size


def sampling_of(options: argparse.Namespace) -> Sampling:
    return Sampling(
        temperature=options.temp,
        top_p=options.top_p,
        top_k=options.top_k,
        min_p=options.min_p,
        repetition_penalty=options.repetition_penalty,
        seed=options.seed,
        logit_bias=dict(options.logit_bias),
        logprobs=options.logprobs,
    )


async def generate(options: argparse.Namespace) -> int:
    prompts = read_prompts(options.prompts) if options.prompts else ()
    async with opened(options) as controller:
        return await (_answer_many(controller, options, prompts) if prompts else _answer_once(controller, options))


async def demo(options: argparse.Namespace) -> int:
    """Headless: one answer. The window's demo is app.cli.window's."""
    if not options.prompt:
        raise UsageError("demo --headless needs a prompt.", 'Add: -p "What is a shard?"')
    async with opened(options, "mini") as controller:
        return await _answer_once(controller, options)


def _request(options: argparse.Namespace, prompt: str) -> GenerationRequest:
    return GenerationRequest(
        messages=() if options.raw else (Message("user", prompt),),
        prompt=prompt if options.raw else "",
        sampling=sampling_of(options),
        max_tokens=options.max_tokens,
        stop=tuple(options.stop),
    )


async def _answer_once(controller: Controller, options: argparse.Namespace) -> int:
    before = controller.snapshot().nodes
    result, events = await _stream(controller, _request(options, options.prompt), quiet=options.json)
    found, machines = account([events]), conditions(controller.snapshot().nodes, before)
    explanation = explain(found, result.stages, machines)
    if options.json:
        more = {"accounting": account_json(found, result.stages), "explanation": explanation}
        print_json(output.generation_json(result) | more)
    else:
        print(f"\n[{output.summary(result)}]", file=sys.stderr)
        if explanation:
            print(f"[{explanation}]", file=sys.stderr)
    return _exit_code(result)


async def _answer_many(controller: Controller, options: argparse.Namespace, prompts: Sequence[str]) -> int:
    """All at once, each printed in its turn; one that fails does not stop the others."""

    def show(number: int, result: GenerationResult) -> None:
        failed = result.finish_reason == "error"
        for event in result.events if failed else ():
            print(f"shardboard: prompt {number + 1}: {event.message}", file=sys.stderr)
        if not options.json:
            print(f"{number + 1}. {prompts[number]}\n\n{result.text}\n", flush=True)
            print("" if failed else f"[{output.summary(result)}]\n", file=sys.stderr)

    batch = await answer_all(controller, [_request(options, prompt) for prompt in prompts], show)
    if options.json:
        results = [output.generation_json(result) for result in batch.results]
        print_json({"results": results, "total_tokens_per_s": batch.tokens_per_s})
    elif batch.tokens_per_s:
        print(f"[{len(prompts)} prompts · {batch.tokens_per_s:.1f} tok/s all · {batch.seconds:.1f} s]", file=sys.stderr)
    return 1 if any(result.finish_reason == "error" for result in batch.results) else 0


async def _stream(
    controller: Controller, request: GenerationRequest, *, quiet: bool
) -> tuple[GenerationResult, list[TokenEvent]]:
    """Prints the text as it comes and answers the result, with what its tokens took."""
    result: GenerationResult | None = None
    events: list[TokenEvent] = []
    async for update in controller.generate(request):
        if isinstance(update, TokenEvent):
            events.append(update)
            if not quiet:
                print(update.text, end="", flush=True)
        elif isinstance(update, GenerationEventNote) and not quiet:
            print(f"\n[{update.message}]", file=sys.stderr)
        elif isinstance(update, GenerationResult):
            result = update
    assert result is not None
    return result, events


def _exit_code(result: GenerationResult) -> int:
    if result.finish_reason != "error":
        return 0
    for event in result.events[-1:]:  # the others were shown when they happened
        print(f"shardboard: {event.message}", file=sys.stderr)
    return 1


async def chat(options: argparse.Namespace) -> int:
    """A conversation on the terminal: an empty line or Ctrl-D ends it."""
    async with opened(options) as controller:
        messages: list[Message] = [Message("system", options.system)] if options.system else []
        print("Write a message; an empty line ends the chat.", file=sys.stderr)
        while True:
            text = await read_line()
            if not text:
                return 0
            messages.append(Message("user", text))
            request = GenerationRequest(
                messages=tuple(messages), sampling=sampling_of(options), max_tokens=options.max_tokens
            )
            result, _ = await _stream(controller, request, quiet=False)
            print(f"\n[{output.summary(result)}]", file=sys.stderr)
            if _exit_code(result):
                return 1
            messages.append(Message("assistant", result.text))


async def read_line(asking: str = "> ") -> str:
    """One line from the terminal; a Ctrl-C while it waits ends the program and not only the thread."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()
    print(asking, end="", file=sys.stderr, flush=True)

    def readable() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    try:
        loop.add_reader(sys.stdin.fileno(), readable)
    except PermissionError:  # stdin is a plain file, which is always readable
        return sys.stdin.readline().strip()
    try:
        return (await line).strip()
    finally:
        loop.remove_reader(sys.stdin.fileno())


async def show_plan(options: argparse.Namespace) -> int:
    library = Library(controller_paths(), lambda: None)
    weighed = await asyncio.to_thread(weigh, options.model, library, options.bits, options.config)
    inventory = weighed.inventory
    setting = read_settings(controller_paths().preferences).settings.default_context
    context = options.context or usual_context(setting, inventory.context_length)
    if options.node:
        capacities = [_capacity(text) for text in options.node]
    else:
        async with connected(known_nodes=True) as controller:
            if controller.nodes:
                await controller.wait_ready()
            nodes = controller.snapshot().nodes
            capacities = [NodeCapacity(n.name, n.memory.shard_available) for n in nodes if n.memory]
        if not capacities:
            capacities = [NodeCapacity(describe_host().name, MemoryReader().read().available)]
    report = plan(weighed.name, inventory, capacities, context)
    print_json(report.to_json()) if options.json else print(report.to_text())
    return 0 if report.fits else 1


def _capacity(text: str) -> NodeCapacity:
    name, separator, size = text.partition("=")
    if not separator or not name:
        raise UsageError(f'"{text}" does not say how much memory a machine has.', "Write --node mini-1=16GB.")
    return NodeCapacity(name, parse_size(size))


async def show_nodes(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True) as controller:
        await settle(controller)
        nodes = controller.snapshot().nodes
        if options.json:
            print_json({"nodes": [output.node_json(node) for node in nodes]})
        else:
            print(output.nodes_text(nodes))
    return 0


async def show_status(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True) as controller:
        while True:
            await settle(controller)
            try:
                await attach(controller, argparse.Namespace(place=None, model=None), mend=False)
            except ShardboardError as error:
                sentence = str(error)
            else:
                sentence = controller.snapshot().deployment.text
            snapshot = controller.snapshot()
            if options.json:
                print_json(output.status_json(snapshot))
            else:
                print(sentence)
                print(output.nodes_text(snapshot.nodes))
            if not options.watch:
                return 0
            await asyncio.sleep(2.0)


async def settle(controller: Controller) -> None:
    """Until every node has either answered or is known not to."""
    for _ in range(60):
        if all(node.state is not NodeState.CONNECTING for node in controller.snapshot().nodes):
            return
        await asyncio.sleep(0.1)


async def deploy(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True, options=pipeline_options(options)) as controller:
        if not controller.nodes:
            raise ShardboardError("No machine is known yet.", "Add one with: shardboard pair ADDRESS")
        await controller.choose_model(options.model)
        await controller.choose_draft(options.draft or "")
        await controller.wait_ready()
        context = context_tokens(controller, options.context)
        names = tuple(controller.nodes)
        if options.place:
            placement = wanted_placement(controller, options.place, names)
        else:
            snapshot = controller.snapshot()
            assert snapshot.model is not None
            room = available_bytes(controller.nodes)  # what runs there gives way
            capacities = [NodeCapacity(name, free) for name, free in room.items() if free is not None]
            found = balance(snapshot.model.inventory, capacities, context)
            if isinstance(found, WhyNot):
                raise ShardboardError(found.sentence)
            placement = found
        await controller.deploy(placement, context, stop_first=options.stop_first, spares=options.spare)
        if options.spare:
            await controller.spares_settled()
        snapshot, live = controller.snapshot(), controller.deployment
        assert live is not None
        if options.json:
            spares = {"spares": asdict(snapshot.spares)} if options.spare else {}
            print_json(output.status_json(snapshot) | output.transfer_json(live.transfers) | spares)
        else:
            print(snapshot.deployment.text)
            print(output.transfer_text(live.transfers))
            if snapshot.spares.text:
                print(snapshot.spares.text)
    return 0


async def undeploy(options: argparse.Namespace) -> int:
    async with connected(known_nodes=True) as controller:
        try:
            await attach(controller, argparse.Namespace(place=None, model=None), mend=False)
        except ShardboardError:
            if not stages_of(controller.nodes, controller.identity.fingerprint):
                raise
        await controller.undeploy()
    return 0

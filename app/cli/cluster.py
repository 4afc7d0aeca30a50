"""Which cluster a command works on: temporary local agents with a model deployed, or what runs already."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from app.core.cluster.local_agents import numbered
from app.core.controller import Controller
from app.core.errors import ShardboardError, UsageError
from app.core.library.models import BUILT_IN
from app.core.paths import ControllerPaths, controller_paths
from app.core.placement.placement import Placement, even_split, parse_placement, problems
from shardd.host import parse_size
from shardd.host.temporary import temporary_folder
from shardd.stage.orders import PipelineOptions
from shardd.stage.shaping import parse_link

MOST_LOCAL = 64


@contextlib.asynccontextmanager
async def opened(options: argparse.Namespace, prefix: str = "local") -> AsyncIterator[Controller]:
    """A controller with a model ready to generate, as --local, --model, --place and --context say."""
    if options.local is None:
        async with connected(known_nodes=True) as controller:
            await attach(controller, options)
            yield controller
        return
    async with temporary_data() as paths:
        names = local_names(options.local, prefix)
        controller = Controller(
            paths,
            local_agents=names,
            known_nodes=False,
            discover=False,
            options=pipeline_options(options),
            prefill_chunk_tokens=getattr(options, "prefill_chunk", 0),
        )
        async with contextlib.AsyncExitStack() as stack:
            # Whatever is wrong with the model or the placement is said before any process starts.
            await controller.choose_model(options.model or BUILT_IN)
            await controller.choose_draft(options.draft or "")
            placement = wanted_placement(controller, options.place, names)
            stack.push_async_callback(controller.close)
            await controller.start()
            await controller.wait_ready()
            await controller.deploy(placement, context_tokens(controller, options.context))
            yield controller


def pipeline_options(options: argparse.Namespace) -> PipelineOptions:
    """How the command line wants the pipeline driven."""
    usual = PipelineOptions()
    try:
        parse_link(getattr(options, "link", ""))
    except ValueError as error:
        raise UsageError(str(error)) from None
    return PipelineOptions(
        max_batch=getattr(options, "max_batch", usual.max_batch),
        speculate=not getattr(options, "no_speculation", False),
        layer_delay_ms=getattr(options, "layer_delay_ms", 0.0),
        token_delay_ms=getattr(options, "token_delay_ms", 0.0),
        link=getattr(options, "link", ""),
        kept_share=usual.kept_share if options.kept_share is None else options.kept_share,
        kept_bits=options.kept_bits or 0,
        spill_bytes=parse_size(options.spill) if options.spill else 0,
        wire_bits=options.wire_bits or 0,
    )


@contextlib.asynccontextmanager
async def connected(
    *, known_nodes: bool, discover: bool = False, options: PipelineOptions | None = None
) -> AsyncIterator[Controller]:
    """A controller on this user's own nodes. options: how what it deploys is driven."""
    controller = Controller(controller_paths(), known_nodes=known_nodes, discover=discover, options=options)
    try:
        await controller.start()
        yield controller
    finally:
        await controller.close()


@contextlib.asynccontextmanager
async def temporary_data() -> AsyncIterator[ControllerPaths]:
    """A controller's data folder that is gone afterwards: nothing of the user's is touched."""
    with temporary_folder("shardboard-") as folder:
        yield controller_paths(folder)


async def attach(controller: Controller, options: argparse.Namespace, *, mend: bool = True) -> None:
    """Takes up the running deployment. mend: one that is not whole is made so. Raises ShardboardError when there is
    none, or it runs another model."""
    if getattr(options, "draft", None):
        raise UsageError(
            "--draft needs --local.", "Draft for a running deployment with: shardboard deploy MODEL --draft …"
        )
    if any(getattr(options, name, None) is not None for name in ("kept_share", "kept_bits", "spill", "wire_bits")):
        raise UsageError(
            "How caches are kept and what travels is settled when a model is deployed.",
            "Use --local, or: shardboard deploy MODEL with --kept-share, --kept-bits, --spill or --wire-bits.",
        )
    if options.place:
        raise UsageError("--place needs --local.", "Place a running deployment with: shardboard deploy MODEL --place …")
    if not controller.nodes:
        raise ShardboardError(
            "No machine is known and nothing is deployed.", "Use --local 3 for temporary agents here."
        )
    late: ShardboardError | None = None
    try:
        await controller.wait_ready()
    except ShardboardError as error:  # the others may be enough
        late = error
    try:
        await controller.attach(mend=mend)
    except ShardboardError as error:
        raise late or error from None
    running = controller.deployment
    if options.model and running and Path(options.model).name != running.model:
        raise ShardboardError(
            f"{running.model} is deployed, not {options.model}.", f"Run: shardboard deploy {options.model}"
        )


def local_names(count: int, prefix: str) -> tuple[str, ...]:
    if not 1 <= count <= MOST_LOCAL:
        raise UsageError(f"--local {count} is not possible.", f"Choose 1 to {MOST_LOCAL} agents.")
    return numbered(prefix, count)


def wanted_placement(controller: Controller, text: str | None, names: tuple[str, ...]) -> Placement:
    """--place, or layers as evenly as possible. Raises UsageError naming what is wrong."""
    model = controller.snapshot().model
    assert model is not None
    inventory = model.inventory
    if not text:
        return even_split(names, inventory.layer_count, inventory.forbidden_cuts)
    placement = parse_placement(text, names, inventory.layer_count)
    wrong = problems(placement, names, inventory.forbidden_cuts)
    if wrong:
        raise UsageError(wrong[0].sentence)
    return placement


def context_tokens(controller: Controller, wanted: int | None) -> int:
    """--context, or the model's own length up to what the settings begin with."""
    model, usual = controller.snapshot().model, controller.settings.now.default_context
    if wanted is None:
        return usual_context(usual, model.inventory.context_length if model else None)
    if not wanted >= 16:
        raise UsageError("The context is too short.", "Choose 16 tokens or more.")
    return wanted


def usual_context(setting: int, longest: int | None) -> int:
    """The tokens that the settings begin with, as far as the model was made for so many."""
    return min(setting, longest or setting)

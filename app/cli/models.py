"""`shardboard models …`: what is on this disk, what is on the hub, downloads, and what a model weighs."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.cluster import usual_context
from app.cli.output import print_json
from app.core.errors import ShardboardError, UsageError
from app.core.library.convert import convert
from app.core.library.library import Download, Library
from app.core.library.models import BUILT_IN
from app.core.library.weigh import Weighed, weigh
from app.core.paths import controller_paths
from app.core.placement.budget import needs
from app.core.settings.store import read_settings
from shardd.host import format_bytes

SHOW_S = 0.2


async def models(options: argparse.Namespace) -> int:
    library = Library(controller_paths(), lambda: None)
    actions = {
        "list": _list,
        "show": _show,
        "search": _search,
        "pull": _pull,
        "add": _add,
        "remove": _remove,
        "token": _token,
        "convert": _convert,
        "cancel": _cancel,
    }
    return await actions[options.action](library, options)


async def _list(library: Library, options: argparse.Namespace) -> int:
    found = await asyncio.to_thread(library.models)
    if options.json:
        rows = [{"name": m.name, "directory": str(m.directory), "bytes": m.bytes, "source": m.source} for m in found]
        print_json({"models": rows, "downloads": [asdict(each) for each in library.downloads]})
        return 0
    for model in found:
        print(f"{model.name:<44}  {format_bytes(model.bytes):>9}  {model.source}")
    for each in library.downloads:
        if each.state not in ("done",):
            print(f"{each.repo:<44}  {_share(each):>9}  {each.state}: {each.text}")
    return 0


async def _show(library: Library, options: argparse.Namespace) -> int:
    name = _words(options) or BUILT_IN
    weighed = await asyncio.to_thread(weigh, name, library, options.bits, options.config)
    setting = read_settings(controller_paths().preferences).settings.default_context
    context = options.context or usual_context(setting, weighed.inventory.context_length)
    facts = _facts(weighed, context)
    print_json(facts) if options.json else print(_text(weighed, facts))
    return 0


def _facts(weighed: Weighed, context: int) -> dict[str, Any]:
    inventory = weighed.inventory
    wanted = needs(inventory, 0, inventory.layer_count - 1, context)
    return {
        "name": weighed.name,
        "where": weighed.where,
        "model_type": inventory.model_type,
        "layers": inventory.layer_count,
        "bytes": inventory.total_bytes,
        "context_length": inventory.context_length,
        "quantization": inventory.quantization,
        "dtype": inventory.dtype,
        "tied": inventory.tied,
        "chat_template": weighed.chat_template,
        "kv_bytes_per_token": sum(inventory.kv_bytes_per_token),
        "needs": {
            "context": context,
            "weights_bytes": wanted.weights_bytes,
            "kv_bytes": wanted.kv_bytes,
            "overhead_bytes": wanted.overhead_bytes,
            "total_bytes": wanted.total,
        },
        "units": [{"name": unit.name, "bytes": unit.nbytes} for unit in inventory.units],
        "forbidden_cuts": {str(cut): why for cut, why in inventory.forbidden_cuts.items()},
        "note": weighed.note or None,
    }


def _text(weighed: Weighed, facts: dict[str, Any]) -> str:
    inventory, wanted = weighed.inventory, facts["needs"]
    template = {True: "with a chat template", False: "without a chat template", None: ""}[weighed.chat_template]
    length = f"context {inventory.context_length}" if inventory.context_length else "context unknown"
    kind = inventory.quantization or inventory.dtype
    parts = [inventory.model_type, f"{inventory.layer_count} layers", format_bytes(inventory.total_bytes), kind, length]
    lines = [
        f"{weighed.name}: {', '.join([*parts, template] if template else parts)}",
        f"  {weighed.where}" + (f" ({weighed.note})" if weighed.note else ""),
        f"  {format_bytes(facts['kv_bytes_per_token'])} of cache per token; at {wanted['context']} tokens it needs "
        f"{format_bytes(wanted['total_bytes'])} in all: {format_bytes(wanted['weights_bytes'])} weights, "
        f"{format_bytes(wanted['kv_bytes'])} cache, {format_bytes(wanted['overhead_bytes'])} to compute",
    ]
    # Layers in a row that weigh the same share a line.
    rows: list[tuple[str, str, int]] = []
    for unit in inventory.units:
        if rows and unit.name.startswith("layer.") and rows[-1][0].startswith("layer.") and rows[-1][2] == unit.nbytes:
            rows[-1] = (rows[-1][0], unit.name, unit.nbytes)
        else:
            rows.append((unit.name, unit.name, unit.nbytes))
    for first, last, size in rows:
        name = first if first == last else f"{first} to {last.removeprefix('layer.')}"
        lines.append(f"  {name:<20} {format_bytes(size):>9}{' each' if first != last else ''}")
    lines += [f"  no cut before layer {cut}: {why}" for cut, why in inventory.forbidden_cuts.items()]
    return "\n".join(lines)


async def _search(library: Library, options: argparse.Namespace) -> int:
    words = _words(options)
    if not words:
        raise UsageError("What should be searched for?", "Write: shardboard models search qwen3 4bit")
    found = await library.search(words)
    if options.json:
        print_json({"models": [asdict(each) for each in found]})
        return 0
    for each in found:
        size = format_bytes(each.bytes) if each.bytes else ""
        gated = "gated" if each.gated else ""
        print(
            f"{each.repo:<60} {size:>9} {each.quantization:>7} {each.licence:<14} {each.downloads:>9} {gated}".rstrip()
        )
    if not found:
        print("Nothing on the hub fits.", file=sys.stderr)
    return 0


async def _pull(library: Library, options: argparse.Namespace) -> int:
    name = _words(options)
    if not name:
        raise UsageError("Which model should be downloaded?", "Write: shardboard models pull owner/name")
    download = library.pull(name, options.revision)
    try:
        ended = asyncio.ensure_future(library.finished(download.repo))
        while not ended.done():
            await asyncio.wait([ended], timeout=SHOW_S)
            now = next(each for each in library.downloads if each.repo == download.repo)
            if not options.json and sys.stderr.isatty():
                print(f"\r\x1b[K{_line(now)}", end="", file=sys.stderr, flush=True)
        done = ended.result()
    except asyncio.CancelledError:
        library.pause(download.repo)
        await library.close()
        print("\nPaused. The same command goes on where it stopped.", file=sys.stderr)
        raise
    if sys.stderr.isatty() and not options.json:
        print(file=sys.stderr)
    if done.state != "done":
        raise ShardboardError(done.text)
    print_json(asdict(done)) if options.json else print(done.text)
    return 0


def _line(download: Download) -> str:
    """One line of progress."""
    if download.state in ("waiting", "queued", "verifying"):
        return f"{download.repo}  {_share(download)}  {download.text}"
    rate = f"{format_bytes(int(download.bytes_per_s))}/s" if download.bytes_per_s else ""
    left = f"{int(download.seconds_left)} s left" if download.seconds_left is not None else ""
    size = (
        f"{format_bytes(download.done_bytes)} of {format_bytes(download.total_bytes)}" if download.total_bytes else ""
    )
    return "  ".join(part for part in (download.repo, _share(download), size, rate, left) if part)


def _share(download: Download) -> str:
    return f"{100 * download.done_bytes // download.total_bytes} %" if download.total_bytes else ""


async def _add(library: Library, options: argparse.Namespace) -> int:
    folder = _words(options)
    if not folder:
        raise UsageError("Which folder?", "Write: shardboard models add DIR")
    found = await asyncio.to_thread(library.add_folder, Path(folder))
    names = [model.name for model in found]
    print_json({"added": folder, "models": names}) if options.json else print(f"Added: {', '.join(names)}.")
    return 0


async def _remove(library: Library, options: argparse.Namespace) -> int:
    name = _words(options)
    if not name:
        raise UsageError("Which model?", "Write: shardboard models remove NAME")
    done = await asyncio.to_thread(library.remove, name)
    print_json({"removed": name, "text": done}) if options.json else print(done)
    return 0


async def _cancel(library: Library, options: argparse.Namespace) -> int:
    repo = _words(options)
    if repo not in {each.repo for each in library.downloads}:
        raise ShardboardError(f'Nothing called "{repo}" is being downloaded.', "Look with: shardboard models")
    await library.cancel(repo)
    text = f"What had come of {repo} was deleted."
    print_json({"cancelled": repo, "text": text}) if options.json else print(text)
    return 0


async def _convert(library: Library, options: argparse.Namespace) -> int:
    name = _words(options)
    if not name:
        raise UsageError("Which model?", "Write: shardboard models convert NAME --bits 4")
    source = await asyncio.to_thread(library.resolve, name)

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and not options.json:
            print(f"\r\x1b[K{name}  {100 * done // max(1, total)} %", end="", file=sys.stderr, flush=True)

    made = await convert(source, library.root, options.bits or 4, show)
    size = sum(file.stat().st_size for file in made.glob("*.safetensors"))
    text = f"{made.parent.name}/{made.name} is here: {format_bytes(size)}."
    print_json({"name": f"{made.parent.name}/{made.name}", "bytes": size}) if options.json else print(text)
    return 0


async def _token(library: Library, options: argparse.Namespace) -> int:
    if options.set:
        token = getpass.getpass("Token of the hub: ") if sys.stdin.isatty() else sys.stdin.readline()
        if not token.strip():
            raise UsageError("No token was given.")
        library.tokens.set(token.strip())
    elif options.forget:
        library.tokens.forget()
    has = library.tokens.get() is not None
    text = f"A token is known, kept in {library.tokens.place}." if has else "No token is known."
    print_json({"known": has, "place": library.tokens.place}) if options.json else print(text)
    return 0


def _words(options: argparse.Namespace) -> str:
    return " ".join(options.words)

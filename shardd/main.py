"""`shardd`: the agent's command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import shardd
from shardd.agent.commands import add_commands, first_code_text
from shardd.host import (
    DurationError,
    HostError,
    SentenceError,
    SizeError,
    data_directory,
    format_bytes,
    keep_freed_memory,
    parse_duration,
    parse_size,
)
from shardd.host.connections import allow_files
from shardd.identity import IdentityError, short_fingerprint

DEFAULT_PORT = 8101


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("zeroconf").setLevel(logging.WARNING)
    try:
        return options.command(options)
    except (HostError, IdentityError, SizeError, DurationError, OSError) as error:
        print(f"shardd: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shardd", description="The agent of Shardboard: lends this machine's memory.")
    parser.add_argument("--version", action="version", version=f"shardd {shardd.__version__}")
    parser.add_argument("--verbose", action="store_true", help="log everything")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="serve until stopped")
    run.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    run.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default {DEFAULT_PORT}; 0: any free one")
    run.add_argument("--name", default="", help="what controllers call this machine (default: its own name)")
    run.add_argument("--data", type=Path, help="folder for keys and shards (default: the system's place)")
    run.add_argument("--memory-limit", metavar="SIZE", help="what shards may use, such as 12GB (default: what is free)")
    run.add_argument("--store-limit", metavar="SIZE", help="what shards may take on disk (default: what is free)")
    run.add_argument(
        "--release-after",
        metavar="DURATION",
        default="24h",
        help="unload what a controller deployed that was not heard of for so long (default: 24h; 0: never)",
    )
    run.add_argument(
        "--trust", type=Path, action="append", default=[], metavar="FILE", help="certificate of a controller to trust"
    )
    run.add_argument("--announce", action=argparse.BooleanOptionalAction, help="by Bonjour (default: unless loopback)")
    run.add_argument("--json", action="store_true", help="say where it listens as one JSON line")
    run.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin ends")
    run.set_defaults(command=_run)

    status = commands.add_parser("status", help="what this machine's agent keeps on disk")
    status.add_argument("--data", type=Path)
    status.add_argument("--json", action="store_true")
    status.set_defaults(command=_status)
    add_commands(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    from shardd.agent.service import AgentSettings

    keep_freed_memory()
    allow_files()
    loopback = options.host.startswith("127.") or options.host in ("::1", "localhost")
    settings = AgentSettings(
        host=options.host,
        port=options.port,
        name=options.name,
        data=data_directory(options.data),
        memory_limit=parse_size(options.memory_limit) if options.memory_limit else None,
        store_limit=parse_size(options.store_limit) if options.store_limit else None,
        trust=tuple(options.trust),
        release_after=parse_duration(options.release_after),
        announce=not loopback if options.announce is None else options.announce,
    )
    return asyncio.run(_serve(settings, as_json=options.json, exit_with_stdin=options.exit_with_stdin))


async def _serve(settings: object, *, as_json: bool, exit_with_stdin: bool) -> int:
    from shardd.agent.service import AgentService, AgentSettings, PortTaken

    assert isinstance(settings, AgentSettings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if exit_with_stdin:
        loop.add_reader(sys.stdin.fileno(), stop.set)  # the parent writes nothing: readable means ended
    service = AgentService(settings)
    try:
        await service.start()
        identity = service.identity
        if as_json:
            ready = {
                "name": service.facts.name,
                "host": settings.host,
                "port": service.port,
                "pairing_port": service.pairing_port,
                "fingerprint": identity.fingerprint,
                "certificate": identity.certificate_pem.decode(),
            }
            print(json.dumps(ready), flush=True)
        else:
            print(
                f"shardd {shardd.__version__} on {service.facts.name} listens on {settings.host}:{service.port}, "
                f"fingerprint {short_fingerprint(identity.fingerprint)}",
                flush=True,
            )
            try:
                offered = await service.offer_pairing()
            except SentenceError as error:  # the agent is of use all the same
                print(f"shardd: {error}", file=sys.stderr)
            else:
                if offered:
                    print(first_code_text(offered, service.addresses(), identity.fingerprint), flush=True)
        await stop.wait()
    except PortTaken as error:
        print(f"shardd: {error}", file=sys.stderr)
        return 1
    finally:
        await service.close()
    return 0


def _status(options: argparse.Namespace) -> int:
    from shardd.agent.released import read_released
    from shardd.host import is_locked
    from shardd.identity import TrustedPeers
    from shardd.store import Store, read_limit

    data = data_directory(options.data)
    if not data.is_dir():
        print(f"shardd: {data} does not exist yet. Start the agent once with: shardd run", file=sys.stderr)
        return 1
    store, peers, released = Store(data / "store"), TrustedPeers(data / "peers").all(), read_released(data)
    shards = store.shards()
    facts = {
        "data": str(data),
        "store_bytes": store.used_bytes(),
        "store_limit": read_limit(data),
        "disk_free": store.free_bytes(),
        "running": is_locked(data),
        "shards": [
            {
                "model": s.model,
                "layers": [s.first, s.last],
                "bytes": sum(u.bytes for u in s.units),
                "used_at": store.used_at(s.shard_id),
            }
            for s in shards
        ],
        "released": [
            {"model": s.model, "layers": [s.first, s.last], "at": s.at, "away_seconds": s.away_s} for s in released
        ],
        "controllers": [{"name": p.name, "fingerprint": p.fingerprint} for p in peers if p.role == "controller"],
    }
    if options.json:
        print(json.dumps(facts))
        return 0
    limit = read_limit(data)
    allowed = f" of {format_bytes(limit)} allowed" if limit else ""
    print(f"{data}: {format_bytes(store.used_bytes())} of shards{allowed}, {format_bytes(store.free_bytes())} free")
    print("  an agent runs on it" if is_locked(data) else "  no agent runs on it")
    for shard in shards:
        size = format_bytes(sum(unit.bytes for unit in shard.units))
        used = datetime.fromtimestamp(store.used_at(shard.shard_id)).isoformat(" ", "minutes")
        print(f"  {shard.model}  layers {shard.first} to {shard.last}  {size}  last used {used}")
    names = {peer.fingerprint: peer.name for peer in peers}
    for stage in released:
        at = datetime.fromtimestamp(stage.at).isoformat(" ", "minutes")
        print(f"  {at}: {stage.sentence(names.get(stage.controller) or 'its controller')}")
    for peer in peers:
        print(f"  trusts {peer.name}  {short_fingerprint(peer.fingerprint)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

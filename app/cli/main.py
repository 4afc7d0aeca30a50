"""`shardboard`: the command line. One sentence on stderr and exit code 1 for a failure, 2 for wrong usage."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import shardd
from app.cli.arguments import add_bench, add_driving, add_prompt, add_sampling, positive
from app.core.errors import SentenceError, UsageError
from shardd.host import keep_freed_memory

DRAFT_HELP = "a small model with the same tokens, which guesses on the first machine what comes next"

Command = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    keep_freed_memory()
    try:
        return options.run(options)
    except UsageError as error:
        print(f"shardboard: {error}", file=sys.stderr)
        return 2
    except SentenceError as error:
        print(f"shardboard: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _awaited(name: str) -> Callable[[argparse.Namespace], int]:
    """A command of app.cli.commands or app.cli.bench, imported only when it is used."""

    def run(options: argparse.Namespace) -> int:
        from app.cli import bench, commands, models, settings, trust

        if name == "serve":  # brings a web server
            from app.cli.serve import serve

            return asyncio.run(_until_signalled(serve(options)))
        rooms = {
            "bench": bench,
            "models": models,
            "settings": settings,
            "pair": trust,
            "unpair": trust,
            "rotate": trust,
        }
        command: Command = getattr(rooms.get(name, commands), name)
        return asyncio.run(_until_signalled(command(options)))

    return run


async def _until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Runs a command; SIGTERM ends it as Ctrl-C does, with everything cleaned up."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _window(options: argparse.Namespace) -> int:
    from app.cli.window import open_window

    return open_window(demo=False)


def _demo(options: argparse.Namespace) -> int:
    if options.headless:
        return _awaited("demo")(options)
    from app.cli.window import open_window

    return open_window(demo=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shardboard", description="One language model on all the Macs you own. Without a command: the window."
    )
    parser.add_argument("--version", action="version", version=f"shardboard {shardd.__version__}")
    parser.set_defaults(run=_window)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, help_text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="one JSON object on stdout")
        return added

    demo = command("demo", "three agents on this machine and the built-in model", _demo)
    demo.add_argument("--headless", action="store_true", help="no window: answer one prompt")
    _add_cluster(demo, local=3)
    add_prompt(demo)

    generate = command("generate", "answer one prompt, or all those in a file", _awaited("generate"))
    _add_cluster(generate)
    add_prompt(generate, file_too=True)

    chat = command("chat", "a conversation on the terminal", _awaited("chat"))
    _add_cluster(chat)
    add_sampling(chat)
    chat.add_argument("--system", default="", help="system prompt")

    bench = command("bench", "measure the pipeline", _awaited("bench"))
    _add_cluster(bench)
    add_bench(bench)

    serve = command("serve", "an OpenAI-compatible API", _awaited("serve"))
    _add_cluster(serve)
    serve.add_argument("--host", metavar="H", help="default: as in the settings, at first this machine only")
    serve.add_argument("--port", type=int, metavar="P", help="default: as in the settings, at first 8100; 0: any")
    serve.add_argument(
        "--api-key", default="", metavar="KEY", help="needed beyond this machine; default: the settings'"
    )
    serve.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN", help="whose web pages may ask")
    serve.add_argument("--layer-delay-ms", type=float, default=0.0, help=argparse.SUPPRESS)  # for tests/bench/serve.py

    plan = command("plan", "where a model would go", _awaited("show_plan"))
    plan.add_argument("model", metavar="MODEL")
    plan.add_argument("--node", action="append", default=[], metavar="NAME=MEMORY")
    plan.add_argument("--context", type=positive, metavar="N")
    _add_table(plan)

    command("nodes", "the machines that are known", _awaited("show_nodes"))
    pair = command("pair", "trust the machine at an address, by the code that it shows", _awaited("pair"))
    pair.add_argument("address", metavar="ADDRESS", help="HOST or HOST:PORT; there run: shardd pair")
    pair.add_argument("--code", metavar="CODE", help="six digits; asked for where it is missing")
    unpair = command("unpair", "trust a machine no longer, and have it forget this controller", _awaited("unpair"))
    unpair.add_argument("node", metavar="NODE")
    command("rotate", "give this controller a new key, which its machines learn", _awaited("rotate"))
    status = command("status", "what is deployed", _awaited("show_status"))
    status.add_argument("--watch", action="store_true", help="again every two seconds")

    deploy = command("deploy", "push, load and join a model on the known machines", _awaited("deploy"))
    deploy.add_argument("model", metavar="MODEL")
    deploy.add_argument("--place", metavar="RANGES")
    deploy.add_argument("--auto", action="store_true", help="balance by free memory (the default)")
    deploy.add_argument(
        "--spare",
        action="store_true",
        help="keep a second copy of every layer on another machine's disk: the loss of one then needs no transfer",
    )
    deploy.add_argument(
        "--stop-first",
        action="store_true",
        help="unload what runs before anything is loaded: where a machine has no room for both; answers wait",
    )
    deploy.add_argument("--draft", metavar="MODEL", help=DRAFT_HELP)
    deploy.add_argument("--context", type=positive, metavar="N")
    add_driving(deploy)
    command("undeploy", "unload the model everywhere", _awaited("undeploy"))

    settings = command("settings", "what the window's Settings hold, shown or changed", _awaited("settings"))
    settings.add_argument("name", nargs="?", metavar="NAME", help="one of them; without it: all")
    settings.add_argument("value", nargs="?", metavar="VALUE", help='its new value; "" empties it')

    models = command("models", "models on this machine's disk and on the hub", _awaited("models"))
    actions = ["list", "show", "search", "pull", "add", "remove", "token", "convert", "cancel"]
    models.add_argument("action", nargs="?", choices=actions, default="list")
    models.add_argument("words", nargs="*", metavar="NAME", help="a name, owner/name, a folder, or words to search")
    models.add_argument("--context", type=positive, metavar="N", help="show: what it needs for so many tokens")
    models.add_argument("--revision", metavar="REVISION", help="pull: not the newest")
    models.add_argument("--set", action="store_true", help="token: read it from the terminal")
    models.add_argument("--forget", action="store_true", help="token: delete it")
    _add_table(models)
    return parser


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bits", type=positive, metavar="N", help="which variant of a table of tensors")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the config.json that goes with a table")


def _add_cluster(parser: argparse.ArgumentParser, local: int | None = None) -> None:
    parser.add_argument("--model", metavar="DIR_OR_NAME", help="default: the built-in model, or what is deployed")
    parser.add_argument("--local", type=int, default=local, metavar="N", help="N temporary agents on this machine")
    parser.add_argument("--place", metavar="RANGES", help="0-3,4-7 in node order, or NAME=0-3,…")
    parser.add_argument("--draft", metavar="MODEL", help=f"with --local: {DRAFT_HELP}")
    parser.add_argument("--context", type=positive, metavar="N", help="tokens that a conversation may have")
    add_driving(parser, "with --local: ")


if __name__ == "__main__":
    raise SystemExit(main())

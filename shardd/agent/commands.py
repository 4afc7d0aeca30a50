"""`shardd pair`, `unpair` and `rotate`: what the owner of a machine says to the agent that runs on it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shardd.agent.mailbox import Action, Answer, Mailbox
from shardd.host import HostError, data_directory, is_locked
from shardd.identity import IdentityError, TrustedPeer, TrustedPeers, short_fingerprint
from shardd.identity.pairing import shown_code

if TYPE_CHECKING:  # brings gRPC, which no command but run needs
    from shardd.agent.pairing import PairingStatus

ANSWER_S = 10.0
LOOK_S = 0.1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    pair = commands.add_parser("pair", help="show a code with which a controller can pair with this machine's agent")
    pair.set_defaults(command=_pair)
    unpair = commands.add_parser("unpair", help="trust a controller no longer")
    unpair.add_argument("controller", metavar="NAME|FINGERPRINT", help="as `shardd status` shows it")
    unpair.set_defaults(command=_unpair)
    rotate = commands.add_parser("rotate", help="give this machine a new key; controllers learn it by themselves")
    rotate.set_defaults(command=_rotate)
    for each in (pair, unpair, rotate):
        each.add_argument("--data", type=Path, help="the agent's folder (default: the system's place)")
        each.add_argument("--json", action="store_true", help="one JSON object on stdout")


def code_text(code: str, addresses: Sequence[str], fingerprint: str, seconds: float) -> str:
    """What a person needs to pair, from the other machine."""
    where = addresses[0] if addresses else "ADDRESS"
    return (
        f"Pairing code: {shown_code(code)}\n"
        f"Type it within {round(seconds / 60)} minutes in Shardboard (Cluster, Add machine), or there run:\n"
        f"  shardboard pair {where}\n"
        f"This machine's fingerprint: {short_fingerprint(fingerprint)}"
    )


def first_code_text(status: PairingStatus, addresses: Sequence[str], fingerprint: str) -> str:
    return code_text(status.code, addresses, fingerprint, status.seconds_left)


def outcome_text(answer: Answer) -> str:
    """How a code ended, in a sentence."""
    match answer.state:
        case "paired":
            return f"Paired with {answer.peer}, fingerprint {short_fingerprint(answer.peer_fingerprint)}."
        case "used up":
            return "Too many wrong codes were tried. Show a new code with: shardd pair"
        case "expired":
            return "The code has expired. Show a new one with: shardd pair"
        case _:
            return "Another command has taken this code's place."


def _pair(options: argparse.Namespace) -> int:
    data = data_directory(options.data)
    mailbox, request, answer = _asked(data, "pair")
    if options.json:
        shown: dict[str, Any] = {
            "code": answer.code,
            "seconds_left": answer.seconds_left,
            "tries_left": answer.tries_left,
            "addresses": list(answer.addresses),
            "fingerprint": answer.fingerprint,
        }
        print(json.dumps(shown), flush=True)
        return 0
    print(code_text(answer.code, answer.addresses, answer.fingerprint, answer.seconds_left), flush=True)
    tries = answer.tries_left
    try:
        while answer.state == "open":
            time.sleep(LOOK_S)
            _check_runs(data)
            answer = mailbox.answer(request) or Answer(request, "hidden")
            if answer.state == "open" and answer.tries_left < tries:
                tries = answer.tries_left
                print(f"A code was tried. {tries} {'try is' if tries == 1 else 'tries are'} left.", flush=True)
    except KeyboardInterrupt:
        mailbox.ask("hide")
        raise
    paired = answer.state == "paired"
    print(outcome_text(answer), file=sys.stdout if paired else sys.stderr, flush=True)
    return 0 if paired else 1


def _unpair(options: argparse.Namespace) -> int:
    data = data_directory(options.data)
    peers = TrustedPeers(data / "peers")
    peer = chosen(peers.all(), options.controller)
    peers.remove(peer.fingerprint)
    if options.json:
        print(json.dumps({"name": peer.name, "fingerprint": peer.fingerprint}))
    else:
        print(f"{peer.name} is not trusted any more. Its connections end now, and what it deployed is unloaded.")
    return 0


def chosen(peers: Sequence[TrustedPeer], wanted: str) -> TrustedPeer:
    """The controller of this name, or whose fingerprint begins so. Raises IdentityError."""
    controllers = [peer for peer in peers if peer.role == "controller" and not peer.follows]
    digits = "".join(wanted.split()).lower()
    found = [peer for peer in controllers if peer.name == wanted]
    found = found or [peer for peer in controllers if len(digits) >= 8 and peer.fingerprint.startswith(digits)]
    if not found:
        names = ", ".join(peer.name for peer in controllers)
        raise IdentityError(
            f'No controller "{wanted}" is paired with this machine.', f"There are: {names}." if names else ""
        )
    if len(found) > 1:
        prints = ", ".join(short_fingerprint(peer.fingerprint) for peer in found)
        raise IdentityError(f'{len(found)} controllers are called "{wanted}".', f"Say which by fingerprint: {prints}.")
    return found[0]


def _rotate(options: argparse.Namespace) -> int:
    _, _, answer = _asked(data_directory(options.data), "rotate")
    if options.json:
        waiting = {"state": answer.state, "fingerprint": answer.fingerprint, "waits_for": list(answer.waits_for)}
        print(json.dumps(waiting))
    elif answer.state == "changed":
        print(f"This machine has a new key, fingerprint {short_fingerprint(answer.fingerprint)}.")
    else:
        print(f"A new key is announced, fingerprint {short_fingerprint(answer.fingerprint)}.")
        names = " and ".join(answer.waits_for)
        known = f"{names} {'knows' if len(answer.waits_for) == 1 else 'know'} it and " if names else ""
        print(f"It takes the old one's place when {known}no model is deployed and no code is shown here.")
    return 0


def _asked(data: Path, action: Action) -> tuple[Mailbox, str, Answer]:
    """The running agent's first answer. Raises HostError when there is none, or the agent refuses."""
    _check_runs(data)
    mailbox = Mailbox(data)
    request = mailbox.ask(action)
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        answer = mailbox.answer(request)
        if answer is not None:
            if answer.state == "refused":
                raise HostError(answer.sentence)
            return mailbox, request, answer
        time.sleep(LOOK_S)
        _check_runs(data)
    raise HostError(f"The agent on {data} does not answer.", "Is it frozen? Start it again with: shardd run")


def _check_runs(data: Path) -> None:
    if not data.is_dir() or not is_locked(data):
        raise HostError(f"No agent runs on {data}.", "Start one with: shardd run")

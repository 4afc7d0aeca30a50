"""What is worth telling someone who looks elsewhere. Decisions about values; imports no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.core.snapshot import DeploymentState, NodeState, Snapshot
from app.core.text import first_sentence, joined, phrase
from app.ui import words

if TYPE_CHECKING:
    from app.core.library.conversions import Conversion
    from app.core.library.library import Download, LibraryView

WORD_LIMIT: Final = 80
GONE: Final = (NodeState.LOST,)


@dataclass(frozen=True, slots=True)
class Notice:
    """kind: "info", "warning" or "error". place: where one looks for more. logged: the core has written it into the
    activity already."""

    title: str
    text: str
    kind: str = "info"
    place: str = "Cluster"
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was told or passed over so far."""

    gone: frozenset[str] = frozenset()
    downloads: Mapping[str, str] | None = None  # state by repository; None before the first look
    conversions: Mapping[tuple[str, int], str] | None = None


def of_nodes(seen: Seen, before: Snapshot, now: Snapshot) -> tuple[Seen, tuple[Notice, ...]]:
    """Machines that were lost since, and lost ones that are ready again. One that was never ready is not lost."""
    was = {node.name: node.state for node in before.nodes}
    gone = set(seen.gone) & {node.name for node in now.nodes}
    notices: list[Notice] = []
    for node in now.nodes:
        if node.state in GONE and node.name not in gone and was.get(node.name) in (NodeState.READY, NodeState.SUSPECT):
            gone.add(node.name)
            notices.append(Notice(phrase("{node} is lost", node=node.name), node.state_text, "warning", logged=True))
        elif node.state is NodeState.READY and node.name in gone:
            gone.discard(node.name)
            notices.append(
                Notice(
                    phrase("{node} is back", node=node.name),
                    node.state_text or phrase("It is ready again."),
                    logged=True,
                )
            )
    if now.deployment.state is DeploymentState.FAILED and before.deployment.state is not DeploymentState.FAILED:
        notices.append(Notice(phrase("The deployment failed"), now.deployment.text, "error", logged=True))
    return Seen(frozenset(gone), seen.downloads, seen.conversions), tuple(notices)


def of_library(seen: Seen, view: LibraryView) -> tuple[Seen, tuple[Notice, ...]]:
    """Downloads and conversions that have arrived or failed since the last view; the first view tells nothing."""
    downloads = {each.repo: each.state for each in view.downloads}
    conversions = {(str(each.source), each.bits): each.state for each in view.conversions}
    notices: list[Notice] = []
    if seen.downloads is not None and seen.conversions is not None:
        for each in view.downloads:
            if seen.downloads.get(each.repo, each.state) != each.state:
                notices += _of_download(each)
        for each in view.conversions:
            key = (str(each.source), each.bits)
            if seen.conversions.get(key, each.state) != each.state:
                notices += _of_conversion(each)
    return Seen(seen.gone, downloads, conversions), tuple(notices)


def _of_download(download: Download) -> list[Notice]:
    if download.state == "done":
        text = phrase("{model} is here: {size}.", model=download.repo, size=words.size(download.total_bytes))
        return [Notice(phrase("A download has finished"), text, place="Models")]
    if download.state == "failed":
        return [
            Notice(phrase("A download has failed"), joined((download.repo, download.text), ": "), "error", "Models")
        ]
    return []


def _of_conversion(conversion: Conversion) -> list[Notice]:
    if conversion.state == "done":
        text = phrase("{model} is here with {bits} bits.", model=conversion.name, bits=conversion.bits)
        return [Notice(phrase("A conversion has finished"), text, place="Models")]
    if conversion.state == "failed":
        return [
            Notice(
                phrase("A conversion has failed"), joined((conversion.name, conversion.text), ": "), "error", "Models"
            )
        ]
    return []


def of_answer(title: str, tokens: int | None, rate: float | None, problem: str) -> Notice:
    """An answer that has come to its end."""
    named = title if len(title) <= WORD_LIMIT else title[: WORD_LIMIT - 1] + "…"
    if problem:
        return Notice(phrase("An answer ended early"), joined((named, problem), ": "), "error", "Chat")
    figures = joined((words.count(tokens, "token") if tokens else "", words.tokens_per_s(rate) if rate else ""), ", ")
    quoted = phrase("“{title}”", title=named) if named else ""
    text = joined((quoted, figures), ", ") or phrase("It is in the chat.")
    return Notice(phrase("An answer is finished"), text, place="Chat")


def cluster_line(snapshot: Snapshot) -> str:
    """The cluster in one line, for the tray and the side bar."""
    ready = sum(node.state is NodeState.READY for node in snapshot.nodes)
    total = len(snapshot.nodes)
    if not total:
        return phrase("No machine yet")
    if total == 1:
        return phrase("{ready} of 1 machine ready", ready=ready)
    return phrase("{ready} of {total} machines ready", ready=ready, total=total)


def deployment_line(snapshot: Snapshot) -> str:
    """Short: the board has the rest of what is being done, and why."""
    deployment = snapshot.deployment
    if deployment.state is DeploymentState.DEPLOYING:
        return first_sentence(deployment.text)
    return deployment.text if deployment.state is not DeploymentState.FAILED else phrase("The deployment failed.")


def cluster_tone(snapshot: Snapshot) -> str:
    """ "success" where a model answers, "danger" where something is lost or failed, "warning" on the way, else ""."""
    states = [node.state for node in snapshot.nodes]
    if snapshot.deployment.state is DeploymentState.FAILED or NodeState.LOST in states:
        return "danger"
    if snapshot.deployment.state is DeploymentState.DEPLOYING or NodeState.SUSPECT in states:
        return "warning"
    return "success" if snapshot.deployment.state is DeploymentState.READY else ""

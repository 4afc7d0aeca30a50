"""What the Models page says, from what is known: pure functions. Imports no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from app.core.placement.solver import NodeCapacity
from app.core.snapshot import DeploymentState, ShardView, Snapshot
from app.core.text import joined, phrase
from app.ui import words
from app.ui.cluster.planning import available, usable

if TYPE_CHECKING:
    from app.core.library.fits import Fit
    from app.core.library.hub import HubModel
    from app.core.library.library import Download, LibraryView
    from app.core.library.models import FoundModel
    from shardd.model.inventory import Inventory

NO_MACHINES = phrase("Add a machine on the Cluster page to see whether it fits.")
NO_SPEED = phrase("How fast it is will be known when these machines have run a model once.")
DOWNLOAD_WORDS = {
    "queued": phrase("queued"),
    "waiting": phrase("waiting"),
    "running": phrase("running"),
    "verifying": phrase("verifying"),
    "paused": phrase("paused"),
    "failed": phrase("failed"),
}
GATED = phrase(
    "Its makers want to know who downloads it: accept their terms on its page on the hub, then enter a hub token here."
)
OFFLINE = phrase("Models on this disk work without the hub.")


@dataclass(frozen=True, slots=True)
class Said:
    """A line on a card. tone: "muted", "success", "warning" or "danger". tip: more of it."""

    text: str
    tone: str = "muted"
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a fit is computed from: the machines that are ready, and the measured hops in ms."""

    nodes: tuple[NodeCapacity, ...]
    hop_ms: tuple[tuple[str, float], ...]


def cluster_of(snapshot: Snapshot) -> Cluster:
    nodes = tuple(
        NodeCapacity(node.name, room, snapshot.seconds_per_byte.get(node.name))
        for node in snapshot.nodes
        if usable(node) and (room := available(node)) is not None
    )
    hops = tuple((node.name, node.stage.hop_ms.p50) for node in snapshot.nodes if node.stage and node.stage.hop_ms)
    return Cluster(nodes, hops)


def kind(cluster: Cluster) -> tuple[object, ...]:
    """Which machines there are, and what of them is known at all."""
    nodes = tuple((node.name, node.seconds_per_byte is not None) for node in cluster.nodes)
    return nodes, tuple(name for name, _ in cluster.hop_ms)


def about_same(one: Cluster, other: Cluster) -> bool:
    """Whether a new look at the models would say the same: memory within a tenth, speeds within a fifth."""

    def close(first: float | None, second: float | None, share: float) -> bool:
        if first is None or second is None:
            return first is second
        return abs(first - second) <= share * max(abs(first), abs(second), 1e-30)

    return (
        kind(one) == kind(other)
        and all(
            close(a.available_bytes, b.available_bytes, 0.1) and close(a.seconds_per_byte, b.seconds_per_byte, 0.2)
            for a, b in zip(one.nodes, other.nodes, strict=True)
        )
        and all(close(a, b, 0.5) for (_, a), (_, b) in zip(one.hop_ms, other.hop_ms, strict=True))
    )


def fit_said(fit: Fit | None) -> Said:
    """Fits: 3 machines, 8k context, about 14 tokens/s. None: there are no machines."""
    if fit is None:
        return Said(NO_MACHINES)
    if not fit.stages:
        return Said(phrase("Does not fit. {why_not}", why_not=fit.why_not), "warning")
    parts = [words.count(len(fit.stages), "machine"), context_words(fit.context_tokens)]
    if fit.tokens_per_s:
        digits = 0 if fit.tokens_per_s >= 9.95 else 1
        parts.append(phrase("about {tokens_per_s} tokens/s", tokens_per_s=f"{fit.tokens_per_s:,.{digits}f}"))
    lines = [
        phrase(
            "{node}: {layers}, {total} needed, {free_after_bytes} left",
            node=stage.node,
            layers=words.layers(stage.first, stage.last),
            total=words.size(stage.needs.total),
            free_after_bytes=words.size(stage.free_after_bytes),
        )
        for stage in fit.stages
    ]
    if not fit.tokens_per_s:
        lines.append(NO_SPEED)
    if fit.alone:
        lines.append(phrase("{alone} alone would be faster.", alone=fit.alone))
    return Said(phrase("Fits: {facts}", facts=joined(parts, ", ")), "success", joined(lines, "\n"))


def context_words(tokens: int) -> str:
    """8k context; 1,500-token context."""
    return (
        phrase("{tokens}k context", tokens=tokens // 1024)
        if tokens % 1024 == 0
        else phrase("{tokens:,}-token context", tokens=tokens)
    )


def inventory_words(inventory: Inventory) -> str:
    length = inventory.context_length
    parts = [
        inventory.model_type,
        words.count(inventory.layer_count, "layer"),
        phrase("made for {length:,} tokens", length=length) if length else "",
    ]
    return joined(parts, " · ")


def source_words(source: str) -> str:
    """Where a model came from: a program's name, or these words."""
    return {"built-in": phrase("built-in"), "folder": phrase("folder")}.get(source, source)


def kind_words(inventory: Inventory) -> str:
    """4-bit, or bfloat16."""
    return (inventory.quantization or inventory.dtype).partition(",")[0]


def hub_words(model: HubModel) -> str:
    owner = model.repo.rpartition("/")[0]
    parts = [owner, words.count(model.downloads, "download") if model.downloads else "", model.updated]
    return joined(parts, " · ")


def held(snapshot: Snapshot) -> dict[str, tuple[tuple[str, int, bool], ...]]:
    """Model to (machine, bytes of its shards there, whether these are a bound only), of every machine's shards."""
    found: dict[str, list[tuple[str, int, bool]]] = {}
    for node in snapshot.nodes:
        models: dict[str, list[ShardView]] = {}
        for shard in node.shards:
            models.setdefault(shard.model, []).append(shard)
        for model, shards in models.items():
            found.setdefault(model, []).append((node.name, sum(s.bytes for s in shards), _overlap(shards)))
    return {model: tuple(rows) for model, rows in found.items()}


def _overlap(shards: Iterable[ShardView]) -> bool:
    """Ranges that share layers share their bytes too: a unit lies on a disk once."""
    ranges = sorted((shard.first, shard.last) for shard in shards)
    return any(first <= last for (_, last), (first, _) in pairwise(ranges))


def held_words(rows: Iterable[tuple[str, int, bool]]) -> str:
    parts = held_parts(rows)
    return phrase("On machines: {parts}", parts=parts) if parts else phrase("On no machine yet")


def held_parts(rows: Iterable[tuple[str, int, bool]]) -> str:
    """mini-1 3.1 GB, air up to 2 GB."""
    return joined(
        (
            phrase("{node} up to {size}", node=name, size=words.size(size)) if bound else f"{name} {words.size(size)}"
            for name, size, bound in rows
        ),
        ", ",
    )


def summary(view: LibraryView) -> str:
    """3 models · 12.9 GB · 120 GB free."""
    if not view.looked:
        return phrase("Looking at this disk…")
    parts = [words.count(len(view.models), "model"), words.size(sum(model.bytes for model in view.models))]
    if view.free_bytes is not None:
        parts.append(phrase("{free_bytes} free on this disk", free_bytes=words.size(view.free_bytes)))
    return joined(parts, " · ")


# -- why not ----------------------------------------------------------------------------------------------------------


def place_why_not(model: FoundModel, snapshot: Snapshot) -> str:
    on_board = snapshot.model is not None and snapshot.model.directory == str(model.directory)
    return phrase("This model is on the board.") if on_board else ""


def remove_why_not(model: FoundModel, snapshot: Snapshot, view: LibraryView) -> str:
    deployment = snapshot.deployment
    if model.source == "built-in":
        return phrase("The built-in model belongs to Shardboard.")
    if model.source not in ("Shardboard", "folder"):
        return phrase("It belongs to another program ({source}). Delete it there.", source=model.source)
    if deployment.state in (DeploymentState.READY, DeploymentState.DEPLOYING) and (
        deployment.model == model.directory.name
    ):
        return phrase("This model is deployed. Deploy another one first.")
    if place_why_not(model, snapshot):
        return phrase("This model is on the board. Place another one there first.")
    if any(each.under_way and each.source == model.directory for each in view.conversions):
        return phrase("A copy of it is being made. Wait, or cancel that first.")
    return ""


def convert_why_not(model: FoundModel, inventory: Inventory | None, view: LibraryView, bits: int) -> str:
    if inventory is None:
        return phrase("This model was not looked into yet.")
    if inventory.quantization:
        return phrase("It is quantised already ({quantization}).", quantization=inventory.quantization)
    if any(each.under_way and each.source == model.directory and each.bits == bits for each in view.conversions):
        return phrase("A {bits}-bit copy is being made.", bits=bits)
    if f"local/{model.directory.name}-{bits}bit" in {each.name for each in view.models}:
        return phrase("A {bits}-bit copy is here already.", bits=bits)
    return ""


def download_why_not(model: HubModel, view: LibraryView, token_known: bool) -> str:
    if model.repo in {each.name for each in view.models}:
        return phrase("This model is on this disk.")
    download = next((each for each in view.downloads if each.repo == model.repo), None)
    if download and (download.under_way or download.state in ("paused", "failed")):
        return phrase(
            "It is in the list of downloads ({state}).", state=DOWNLOAD_WORDS.get(download.state, download.state)
        )
    if model.gated and not token_known:
        return phrase("This model is gated. {gated}", gated=GATED)
    return ""


def download_word(model: HubModel, view: LibraryView) -> str:
    """What the button says."""
    if model.repo in {each.name for each in view.models}:
        return phrase("On this disk")
    download = next((each for each in view.downloads if each.repo == model.repo), None)
    return phrase("In the queue") if download and download.state != "done" else phrase("Download")


# -- transfers --------------------------------------------------------------------------------------------------------


def share(done: int, total: int) -> int | None:
    """Of 1,000; None where it is not known how much there is."""
    return min(1000, 1000 * done // total) if total else None


def amount_words(done: int, total: int) -> str:
    return phrase("{done} of {total}", done=words.size(done), total=words.size(total)) if total else ""


def left_words(download: Download) -> str:
    return words.left(download.seconds_left) if download.seconds_left is not None else ""

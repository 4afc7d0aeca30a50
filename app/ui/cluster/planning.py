"""What the board shows, from what is known: pure functions from a snapshot and the staged edits. Imports no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.core.errors import ShardboardError
from app.core.placement.budget import memory_problems, needs
from app.core.placement.history import EditHistory
from app.core.placement.pins import balance_around
from app.core.placement.placement import Placement, even_split, problems
from app.core.placement.prediction import predict
from app.core.placement.solver import NodeCapacity, WhyNot
from app.core.snapshot import DeploymentState, MachineFigures, ModelView, NodeState, NodeView, Snapshot
from app.core.text import joined, phrase
from app.ui import words
from app.ui.board.gesture import Run
from app.ui.board.state import BoardRules, BoardState, NodeOutlook, Outlooks

if TYPE_CHECKING:
    from app.core.controller import NodeMove

NO_MACHINES = phrase("Add a machine first.")
NO_MODEL = phrase("Choose a model first.")
NO_MODEL_YET = phrase("There is no model on this machine yet: see Models.")
UNDER_WAY = phrase("A deployment is under way.")
NO_SPEED = phrase("The speed is not known until these machines have run once, or were measured (see a machine's menu).")


@dataclass(frozen=True, slots=True)
class Staged:
    """What Deploy would do, and the nodes whose ranges Balance leaves where they are. spares: whether a second copy of
    each range is kept; None: as it is deployed."""

    placement: Placement
    context: int
    pins: frozenset[str] = frozenset()
    spares: bool | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is staged for one model, with all that can be undone and redone."""

    model: str
    history: EditHistory[Staged]

    @property
    def now(self) -> Staged:
        return self.history.present

    def edited(self, deployed_spares: bool, **changes: Any) -> Draft:
        """With the next edit. deployed_spares: as they are now, so that undo knows them also after a deployment."""
        settled = self.now if self.now.spares is not None else replace(self.now, spares=deployed_spares)
        fresh = replace(settled, **changes)
        if fresh == settled:
            return self
        return replace(self, history=replace(self.history, present=settled).push(fresh))


def usable(node: NodeView) -> bool:
    return node.state in (NodeState.READY, NodeState.SUSPECT)


def available(node: NodeView) -> int | None:
    """Bytes for shards: what is free, and what our own stage will give back."""
    if node.memory is None:
        return None
    ours = node.stage.weights_bytes + node.stage.kv_bytes if node.stage else 0
    return node.memory.shard_available + ours


def starting_placement(snapshot: Snapshot, context: int, proposal: Placement | WhyNot | None = None) -> Placement:
    """What the board begins with: what is deployed, else a balanced proposal, else an even one."""
    model, deployed = snapshot.model, snapshot.deployment
    assert model is not None
    count = model.inventory.layer_count
    if deployed.placement is not None and deployed.model == model.name and deployed.placement.layer_count == count:
        return deployed.placement
    names = [node.name for node in snapshot.nodes if usable(node)] or [node.name for node in snapshot.nodes]
    found = proposal or balanced(snapshot, context)
    if isinstance(found, Placement):
        return found
    return even_split(names, count, model.inventory.forbidden_cuts) if names else Placement(count, ())


def speeds(snapshot: Snapshot) -> dict[str, float]:
    """Seconds per byte of weights: of each machine's last runs, else by its quick reading."""
    quick = {name: 1 / each.read_bytes_per_s for name, each in snapshot.figures.items() if each.read_bytes_per_s}
    return {**quick, **snapshot.seconds_per_byte}


def balanced(
    snapshot: Snapshot, context: int, placement: Placement | None = None, pins: frozenset[str] = frozenset()
) -> Placement | WhyNot:
    """Layers over all machines that are ready; the ranges of pinned nodes stay where they are in this placement."""
    if snapshot.model is None:
        return WhyNot(NO_MODEL)
    inventory = snapshot.model.inventory
    measured = speeds(snapshot)
    capacities = [
        NodeCapacity(node.name, room, measured.get(node.name))
        for node in snapshot.nodes
        if usable(node) and (room := available(node)) is not None
    ]
    if not capacities:
        return WhyNot(phrase("No machine is ready yet."))
    return balance_around(inventory, placement or Placement(inventory.layer_count, ()), pins, capacities, context)


def outlooks(snapshot: Snapshot, placement: Placement, context: int) -> Outlooks:
    """What each node would hold."""
    assert snapshot.model is not None
    inventory = snapshot.model.inventory
    result: dict[str, NodeOutlook] = {}
    for colour, node in enumerate(snapshot.nodes):
        stage = placement.stage_of(node.name)
        state = "" if usable(node) else node.state.value
        room = available(node)
        if stage is None:
            result[node.name] = NodeOutlook(node.name, colour, available=room, usable=usable(node), state=state)
            continue
        wanted = needs(inventory, stage.first, stage.last, context)
        result[node.name] = NodeOutlook(
            node.name,
            colour,
            wanted.weights_bytes,
            wanted.kv_bytes,
            wanted.overhead_bytes,
            room,
            usable(node),
            state,
        )
    return result


def forecast(snapshot: Snapshot, placement: Placement, context: int) -> str:
    """Predicted speed in words, from measured figures only, and which these are."""
    assert snapshot.model is not None
    hops = {name: each.hop_ms for name, each in snapshot.figures.items() if each.hop_ms is not None}
    inventory = snapshot.model.inventory
    whole = needs(inventory, 0, inventory.layer_count - 1, context).total
    holders = [node.name for node in snapshot.nodes if (available(node) or 0) >= whole]
    predicted = predict(placement, inventory, speeds(snapshot), hops, holders)
    rate = ""
    quick = [name for name in placement.nodes if name not in snapshot.seconds_per_byte]
    basis = phrase(" by a quick reading") if quick else ""
    if predicted.decode_tokens_per_s:
        rate = phrase(
            "est. {decode_tokens_per_s}{basis}",
            decode_tokens_per_s=words.tokens_per_s(predicted.decode_tokens_per_s),
            basis=basis,
        )
    elif predicted.at_most_tokens_per_s:
        rate = phrase(
            "at most {at_most_tokens_per_s}{basis}, hops not measured",
            at_most_tokens_per_s=words.tokens_per_s(predicted.at_most_tokens_per_s),
            basis=basis,
        )
    parts = [
        rate,
        phrase("slowest: {slowest_node}", slowest_node=predicted.slowest_node) if predicted.slowest_node else "",
        phrase("{single_node_faster} alone would be faster", single_node_faster=predicted.single_node_faster)
        if predicted.single_node_faster
        else "",
    ]
    return joined(parts, " · ")


def summary(model: ModelView, placement: Placement) -> str:
    inventory = model.inventory
    parts = [
        words.count(inventory.layer_count, "layer"),
        words.count(len(placement.stages), "stage"),
        phrase("{total_bytes} weights", total_bytes=words.size(inventory.total_bytes)),
        inventory.quantization or inventory.dtype,
    ]
    return joined(parts, " · ")


def changes(placement: Placement, deployed: Placement | None) -> int:
    """How many nodes would hold something else than they do."""
    before = {s.node: (s.first, s.last) for s in deployed.stages} if deployed else {}
    after = {s.node: (s.first, s.last) for s in placement.stages}
    return sum(before.get(node) != after.get(node) for node in before.keys() | after.keys())


def move_words(moves: tuple[NodeMove, ...], figures: Mapping[str, MachineFigures] | None = None) -> str:
    """What Deploy will move, and how long that takes where the rate to each of these machines was measured."""
    sent = [move for move in moves if move.send_bytes]
    if not sent:
        return phrase("Deploy sends nothing: every machine holds its layers.")
    sends = words.listed(
        [phrase("{send_bytes} to {node}", send_bytes=words.size(move.send_bytes), node=move.node) for move in sent]
    )
    known = figures or {}
    rates = [each.push_bytes_per_s if (each := known.get(move.node)) else None for move in sent]
    seconds = [move.send_bytes / rate for move, rate in zip(sent, rates, strict=True) if rate]
    if len(seconds) < len(sent):
        return phrase("Deploy moves {sends}.", sends=sends)
    return phrase(
        "Deploy moves {sends}, {seconds} at the rate of the last push.", sends=sends, seconds=words.about(max(seconds))
    )


def board_state(
    snapshot: Snapshot,
    draft: Draft | None,
    moves: tuple[NodeMove, ...] | None,
    proposal: Placement | WhyNot | None = None,
    asked: bool = False,
) -> BoardState:
    """Everything the board shows. moves: None where they are not known yet. proposal: what Balance would make of it,
    where the caller knows. asked: a deployment was asked for and has not ended, whatever the snapshot says yet."""
    model = snapshot.model
    if model is None or draft is None or not snapshot.nodes:
        hint = NO_MACHINES if model is not None else NO_MODEL if snapshot.models else NO_MODEL_YET
        return BoardState(
            model=model.name if model else "",
            models=snapshot.models,
            context=draft.now.context if draft else 4096,
            context_limit=model.inventory.context_length if model else None,
            placement=Placement(0, ()),
            outlooks={},
            rules=None,
            hint=hint,
            undo_why_not=hint,
            redo_why_not=hint,
            balance_why_not=hint,
            deploy_why_not=hint,
        )
    inventory, history, now = model.inventory, draft.history, draft.now
    placement, context = now.placement, now.context
    deployed = snapshot.deployment.placement if snapshot.deployment.state is DeploymentState.READY else None
    same_context = snapshot.deployment.context_tokens == context
    spares = snapshot.spares.wanted if now.spares is None else now.spares
    same_rest = same_context and spares == snapshot.spares.wanted
    changed = changes(placement, deployed) or (0 if same_rest or deployed is None else 1)
    names = tuple(node.name for node in snapshot.nodes)
    wrong = problems(placement, names, inventory.forbidden_cuts) or memory_problems(
        placement, inventory, {node.name: available(node) for node in snapshot.nodes}, context
    )
    unusable = [
        n.state_text if n.name in n.state_text else joined((n.name, n.state_text), ": ")
        for n in snapshot.nodes
        if n.name in placement.nodes and not usable(n) and n.state_text not in news(snapshot)
    ]
    sentences = (*(problem.sentence for problem in wrong), *unusable)
    found = proposal or balanced(snapshot, context, placement, now.pins)

    def give(before: Placement, node: str, run: Run) -> Placement:
        after = before.assign(node, run.first, run.last)
        stopped = problems(after, names, inventory.forbidden_cuts)
        if stopped:
            raise ShardboardError(stopped[0].sentence)
        return after

    rules = BoardRules(
        outlook=lambda wanted: outlooks(snapshot, wanted, context),
        give=give,
        weights=inventory.weights_bytes,
        forecast=lambda wanted: forecast(snapshot, wanted, context),
    )
    return BoardState(
        model=model.name,
        models=snapshot.models,
        context=context,
        context_limit=inventory.context_length,
        placement=placement,
        outlooks=outlooks(snapshot, placement, context),
        rules=rules,
        forbidden=inventory.forbidden_cuts,
        summary=summary(model, placement),
        speed=forecast(snapshot, placement, context) or NO_SPEED,
        problems=sentences,
        changes=changed,
        deployed=deployed is not None,
        undo_why_not="" if history.past else phrase("There is nothing to undo."),
        redo_why_not="" if history.future else phrase("There is nothing to redo."),
        balance_why_not=found.sentence
        if isinstance(found, WhyNot)
        else phrase("The layers are balanced.")
        if found == placement
        else "",
        deploy_why_not=UNDER_WAY
        if asked or under_way(snapshot)
        else _deploy_why_not(sentences, changed, deployed is not None),
        deploy_note=move_words(moves, snapshot.figures) if moves is not None and changed and not sentences else "",
        pins=now.pins & frozenset(placement.nodes),
        saved=tuple(each.name for each in snapshot.saved),
        save_why_not=sentences[0] if problems(placement, names, inventory.forbidden_cuts) else "",
        news=news(snapshot),
        busy=busy_words(snapshot, asked),
        spares=spares,
        spares_why_not="" if len(snapshot.nodes) > 1 else phrase("A spare needs a second machine: add one."),
        spares_note=snapshot.spares.text,
        spare_on=spare_words(snapshot, placement),
    )


def spare_words(snapshot: Snapshot, placement: Placement) -> dict[str, str]:
    """Where the spares of each node's range lie, for those whose range is the one that runs."""
    result: dict[str, str] = {}
    for spare in snapshot.spares.spares:
        stage = placement.stage_of(spare.runs_on)
        if stage is not None and stage.first <= spare.first and spare.last <= stage.last:
            there = phrase("spare on {node}", node=spare.node)
            where = there if spare.there else phrase("spare on {node}, on its way", node=spare.node)
            result[spare.runs_on] = joined((result.get(spare.runs_on, ""), where), "; ")
    return result


def news(snapshot: Snapshot) -> str:
    """What happens to the deployment just now, in a sentence; "" while it simply runs."""
    deployment = snapshot.deployment
    if deployment.state is DeploymentState.DEPLOYING or deployment.coming is not None:
        return deployment.text
    return ""


def busy_words(snapshot: Snapshot, asked: bool = False) -> str:
    """What the Deploy button says while stages change; "" else."""
    if not asked and not under_way(snapshot):
        return ""
    return phrase("Recovering…") if snapshot.deployment.text.startswith("Recovering") else phrase("Deploying…")


def under_way(snapshot: Snapshot) -> bool:
    """Whether stages are being loaded, moved or recovered."""
    return snapshot.deployment.state is DeploymentState.DEPLOYING or snapshot.deployment.coming is not None


def _deploy_why_not(sentences: tuple[str, ...], changed: int, deployed: bool) -> str:
    if sentences:
        return sentences[0]
    return phrase("Nothing has changed since the last deployment.") if deployed and not changed else ""

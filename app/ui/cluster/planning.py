"""What the board shows, from what is known: pure functions from a snapshot and the staged edits. Imports no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.controller import NodeMove
from app.core.errors import ShardboardError
from app.core.placement.budget import memory_problems, needs
from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement, even_split, problems
from app.core.placement.prediction import predict
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from app.core.snapshot import DeploymentState, ModelView, NodeState, NodeView, Snapshot
from app.ui import words
from app.ui.board.gesture import Run
from app.ui.board.state import BoardRules, BoardState, NodeOutlook, Outlooks

NO_MACHINES = "Add a machine first."
NO_MODEL = "Choose a model first."


@dataclass(frozen=True, slots=True)
class Draft:
    """What the user has staged: edits of a placement of one model, and the context."""

    model: str
    history: EditHistory
    context: int


def usable(node: NodeView) -> bool:
    return node.state in (NodeState.READY, NodeState.SUSPECT)


def available(node: NodeView) -> int | None:
    """Bytes for shards: what is free, and what our own stage will give back."""
    if node.memory is None:
        return None
    ours = node.stage.weights_bytes + node.stage.kv_bytes if node.stage else 0
    return node.memory.shard_available + ours


def starting_placement(snapshot: Snapshot, context: int) -> Placement:
    """What the board begins with: what is deployed, else a balanced proposal, else an even one."""
    model, deployed = snapshot.model, snapshot.deployment
    assert model is not None
    count = model.inventory.layer_count
    if deployed.placement is not None and deployed.model == model.name and deployed.placement.layer_count == count:
        return deployed.placement
    names = [node.name for node in snapshot.nodes if usable(node)] or [node.name for node in snapshot.nodes]
    found = balanced(snapshot, context)
    if isinstance(found, Placement):
        return found
    return even_split(names, count, model.inventory.forbidden_cuts) if names else Placement(count, ())


def balanced(snapshot: Snapshot, context: int) -> Placement | WhyNot:
    """Layers over all machines that are ready."""
    if snapshot.model is None:
        return WhyNot(NO_MODEL)
    capacities = [
        NodeCapacity(node.name, room, snapshot.seconds_per_byte.get(node.name))
        for node in snapshot.nodes
        if usable(node) and (room := available(node)) is not None
    ]
    if not capacities:
        return WhyNot("No machine is ready yet.")
    return balance(snapshot.model.inventory, capacities, context)


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
    """Predicted speed in words, from measured figures only."""
    assert snapshot.model is not None
    hops = {n.name: n.stage.hop_ms.p50 for n in snapshot.nodes if n.stage and n.stage.hop_ms}
    inventory = snapshot.model.inventory
    whole = needs(inventory, 0, inventory.layer_count - 1, context).total
    holders = [node.name for node in snapshot.nodes if (available(node) or 0) >= whole]
    predicted = predict(placement, inventory, snapshot.seconds_per_byte, hops, holders)
    parts = [
        f"est. {words.tokens_per_s(predicted.decode_tokens_per_s)}" if predicted.decode_tokens_per_s else "",
        f"slowest: {predicted.slowest_node}" if predicted.slowest_node else "",
        f"{predicted.single_node_faster} alone would be faster" if predicted.single_node_faster else "",
    ]
    return " · ".join(part for part in parts if part)


def summary(model: ModelView, placement: Placement, speed: str) -> str:
    inventory = model.inventory
    parts = [
        words.count(inventory.layer_count, "layer"),
        words.count(len(placement.stages), "stage"),
        f"{words.size(inventory.total_bytes)} weights",
        inventory.quantization or inventory.dtype,
        speed,
    ]
    return " · ".join(part for part in parts if part)


def changes(placement: Placement, deployed: Placement | None) -> int:
    """How many nodes would hold something else than they do."""
    before = {s.node: (s.first, s.last) for s in deployed.stages} if deployed else {}
    after = {s.node: (s.first, s.last) for s in placement.stages}
    return sum(before.get(node) != after.get(node) for node in before.keys() | after.keys())


def move_words(moves: tuple[NodeMove, ...]) -> str:
    """What Deploy will move."""
    sends = [f"{words.size(move.send_bytes)} to {move.node}" for move in moves if move.send_bytes]
    if not sends:
        return "Deploy sends nothing: every machine holds its layers."
    return f"Deploy sends {words.listed(sends)}."


def board_state(snapshot: Snapshot, draft: Draft | None, moves: tuple[NodeMove, ...]) -> BoardState:
    """Everything the board shows."""
    model = snapshot.model
    if model is None or draft is None or not snapshot.nodes:
        hint = NO_MODEL if model is None else NO_MACHINES
        return BoardState(
            model=model.name if model else "",
            models=snapshot.models,
            context=draft.context if draft else 4096,
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
    inventory, history, context = model.inventory, draft.history, draft.context
    placement = history.present
    deployed = snapshot.deployment.placement if snapshot.deployment.state is DeploymentState.READY else None
    same_context = snapshot.deployment.context_tokens == context
    changed = changes(placement, deployed) or (0 if same_context or deployed is None else 1)
    names = tuple(node.name for node in snapshot.nodes)
    wrong = problems(placement, names, inventory.forbidden_cuts) or memory_problems(
        placement, inventory, {node.name: available(node) for node in snapshot.nodes}, context
    )
    unusable = [f"{n.name}: {n.state_text}" for n in snapshot.nodes if n.name in placement.nodes and not usable(n)]
    sentences = (*(problem.sentence for problem in wrong), *unusable)
    found = balanced(snapshot, context)

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
        forecast=lambda wanted: summary(model, wanted, forecast(snapshot, wanted, context)),
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
        summary=summary(model, placement, forecast(snapshot, placement, context)),
        problems=sentences,
        changes=changed,
        deployed=deployed is not None,
        undo_why_not="" if history.past else "There is nothing to undo.",
        redo_why_not="" if history.future else "There is nothing to redo.",
        balance_why_not=found.sentence
        if isinstance(found, WhyNot)
        else "The layers are balanced."
        if found == placement
        else "",
        deploy_why_not=_deploy_why_not(snapshot, sentences, changed, deployed is not None),
        deploy_note=move_words(moves) if changed and not sentences else "",
    )


def _deploy_why_not(snapshot: Snapshot, sentences: tuple[str, ...], changed: int, deployed: bool) -> str:
    if snapshot.deployment.state is DeploymentState.DEPLOYING:
        return "A deployment is under way."
    if sentences:
        return sentences[0]
    return "Nothing has changed since the last deployment." if deployed and not changed else ""

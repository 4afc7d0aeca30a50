"""A placement looked at before anything is touched: what is wrong with it, and what it would move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.cluster.node import Node
from app.core.deployment.drafting import DraftModel, cannot_forget
from app.core.placement.budget import draft_bytes, memory_problems
from app.core.placement.placement import Placement, Problem, problems
from app.core.snapshot import ModelView
from app.core.text import phrase
from shardd.model.inventory import Inventory
from shardd.model.units import unit_size


@dataclass(frozen=True, slots=True)
class NodeMove:
    """What a deployment would do to one node. send_bytes is an upper bound: another model may share units."""

    node: str
    send_bytes: int
    load_bytes: int
    first: int
    last: int


def check(
    model: ModelView,
    placement: Placement,
    context_tokens: int,
    nodes: Mapping[str, Node],
    draft: DraftModel | None = None,
) -> tuple[Problem, ...]:
    """Everything that is wrong with a placement here and now: its shape first, then whose machines are taken, then the
    draft, then memory."""
    wrong = problems(placement, tuple(nodes), model.inventory.forbidden_cuts)
    wrong = wrong or tuple(
        taken_problem(name, nodes[name].taken_by) for name in placement.nodes if nodes[name].taken_by
    )
    if wrong:
        return wrong
    if draft is not None and (sentence := cannot_forget(draft, context_tokens)):
        return (Problem("draft", placement.nodes[0], sentence),)
    drafting = drafting_bytes(draft, context_tokens)
    return memory_problems(placement, model.inventory, available_bytes(nodes), context_tokens, drafting)


def taken_problem(node: str, controller: str) -> Problem:
    """One controller at a time deploys on a machine; the others are told who does."""
    sentence = phrase(
        "{controller} has a model deployed on {node}. Undeploy it there first.", controller=controller, node=node
    )
    return Problem("taken", node, sentence)


def drafting_bytes(draft: DraftModel | None, context_tokens: int) -> int:
    """What a draft model takes on the head's node."""
    return draft_bytes(draft.inventory, draft.context_tokens(context_tokens)) if draft else 0


def available_bytes(nodes: Mapping[str, Node]) -> dict[str, int | None]:
    """What each node could give to new stages; None where it is not known.

    What stages there take now is given back before new ones are loaded.
    """
    found: dict[str, int | None] = {}
    for name, node in nodes.items():
        free = node.shard_available
        ours = sum(stage.weights_bytes + stage.kv_bytes for stage in node.beat.stages) if node.beat else 0
        found[name] = None if free is None else free + ours
    return found


def preview(
    model: ModelView, placement: Placement, nodes: Mapping[str, Node], draft: DraftModel | None = None
) -> tuple[NodeMove, ...]:
    """What each node lacks and would load, by what its shards of this model, and of its draft, hold."""
    moves: list[NodeMove] = []
    for stage in placement.stages:
        node = nodes.get(stage.node)
        send, load = _move(model.name, model.inventory, stage.first, stage.last, node)
        if draft is not None and stage.first == 0:
            more, weights = _move(draft.name, draft.inventory, 0, draft.inventory.layer_count - 1, node)
            send, load = send + more, load + weights
        moves.append(NodeMove(stage.node, send, load, stage.first, stage.last))
    return tuple(moves)


def _move(name: str, inventory: Inventory, first: int, last: int, node: Node | None) -> tuple[int, int]:
    """Bytes to send and to load, of these layers of a model on a node."""
    units = inventory.units_for(first, last)
    held: set[str] = set()
    for shard in node.shards if node else ():
        if shard.model == name and shard.last < inventory.layer_count:
            held |= {unit.name for unit in inventory.units_for(shard.first, shard.last)}
    return sum(unit_size(unit) for unit in units if unit.name not in held), sum(unit.nbytes for unit in units)

"""What a machine's stages are, where its answers overtake its events."""

from __future__ import annotations

from app.core.cluster.known_stages import KnownStages
from shardd.rpc import agent_pb2

OURS = "ours"
LOADING = agent_pb2.STAGE_STATE_LOADING
READY = agent_pb2.STAGE_STATE_READY
UNLOADED = agent_pb2.STAGE_STATE_UNLOADED


def stage(stage_id: str, state: agent_pb2.StageState = READY, by: str = OURS, *, released: bool = False):
    return agent_pb2.Stage(stage_id=stage_id, state=state, deployed_by=by, released=released)


def states(known: KnownStages) -> dict[str, agent_pb2.StageState]:
    return {stage_id: each.state for stage_id, each in known.now.items()}


def test_events_in_order() -> None:
    known = KnownStages()
    assert all(known.take(each, OURS) for each in (stage("a", LOADING), stage("a"), stage("b")))
    assert states(known) == {"a": READY, "b": READY}
    assert known.take(stage("a", UNLOADED), OURS)
    assert states(known) == {"b": READY}


def test_what_was_unloaded_stays_away_whatever_late_events_and_lists_say() -> None:
    known = KnownStages()
    known.take(stage("a"), OURS)
    asked = known.asking()
    known.end("a")
    assert not known.take(stage("a"), OURS)
    known.take_list([stage("a")], asked)
    assert states(known) == {}
    assert known.take(stage("a", UNLOADED), OURS), "whoever tells people of it hears it once"
    assert states(known) == {}


def test_a_list_does_not_undo_what_events_said_while_it_was_on_its_way() -> None:
    known = KnownStages()
    known.take_list([stage("old"), stage("a", LOADING)], known.asking())
    asked = known.asking()
    known.take(stage("a"), OURS)
    known.take(stage("new", LOADING), OURS)
    known.take(stage("old", UNLOADED), OURS)
    known.take_list([stage("old"), stage("a", LOADING), stage("other")], asked)
    assert states(known) == {"a": READY, "new": LOADING, "other": READY}
    known.take_list([stage("a")], known.asking())
    assert states(known) == {"a": READY}


def test_what_a_machine_released_is_told_once_and_forgotten_when_something_is_deployed_again() -> None:
    known = KnownStages()
    gone = stage("a", UNLOADED, released=True)
    assert known.take(gone, OURS) and not known.take(gone, OURS)
    known.clear()
    assert not known.take(gone, OURS), "a new connection tells it again"
    known.take(stage("b", LOADING, "theirs"), OURS)
    assert list(known.released) == ["a"]
    known.take(stage("c", LOADING), OURS)
    assert not known.released


def test_a_note_of_a_release_that_was_taken_away_does_not_come_back() -> None:
    known = KnownStages()
    gone = stage("a", UNLOADED, released=True)
    known.take_list([gone], known.asking())
    assert list(known.released) == ["a"] and not known.now
    known.end("a")
    assert not known.take(gone, OURS) and not known.released

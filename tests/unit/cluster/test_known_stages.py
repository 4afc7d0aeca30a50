"""What a machine's stages are, where its answers overtake its events."""

from __future__ import annotations

from app.core.cluster.known_stages import KnownStages
from shardd.rpc import agent_pb2

OURS = "ours"
LOADING = agent_pb2.STAGE_STATE_LOADING
READY = agent_pb2.STAGE_STATE_READY
FAILED = agent_pb2.STAGE_STATE_FAILED
UNLOADED = agent_pb2.STAGE_STATE_UNLOADED


def stage(stage_id: str, revision: int, state: agent_pb2.StageState = READY, by: str = OURS, *, released: bool = False):
    return agent_pb2.Stage(stage_id=stage_id, state=state, deployed_by=by, released=released, revision=revision)


def listed(revision: int, *stages: agent_pb2.Stage) -> agent_pb2.ListStagesReply:
    return agent_pb2.ListStagesReply(stages=stages, revision=revision)


def states(known: KnownStages) -> dict[str, agent_pb2.StageState]:
    return {stage_id: each.state for stage_id, each in known.now.items()}


def test_events_in_order() -> None:
    known = KnownStages()
    assert all(known.take(each, OURS) for each in (stage("a", 1, LOADING), stage("a", 2), stage("b", 3)))
    assert states(known) == {"a": READY, "b": READY}
    assert known.take(stage("a", 4, UNLOADED), OURS)
    assert states(known) == {"b": READY}


def test_an_event_that_was_overtaken_is_no_news() -> None:
    known = KnownStages()
    known.take(stage("a", 1), OURS)
    assert known.take(stage("a", 4), OURS), "loaded again, as the load itself says"
    assert not known.take(stage("a", 2, FAILED), OURS)
    assert not known.take(stage("a", 3, LOADING), OURS)
    assert known.take(stage("a", 4), OURS), "and the event of the same: people are told of it"
    assert states(known) == {"a": READY}


def test_what_was_unloaded_stays_away_whatever_late_events_and_lists_say() -> None:
    known = KnownStages()
    known.take(stage("a", 1), OURS)
    known.end("a")
    assert not known.take(stage("a", 2), OURS)
    known.take_list(listed(2, stage("a", 2)))
    assert states(known) == {}
    assert known.take(stage("a", 3, UNLOADED), OURS), "whoever tells people of it hears it once"
    assert states(known) == {}


def test_a_list_and_events_that_were_said_before_and_after_it() -> None:
    known = KnownStages()
    known.take_list(listed(2, stage("old", 1), stage("a", 2, LOADING)))
    known.take(stage("a", 4), OURS)
    known.take(stage("new", 5, LOADING), OURS)
    known.take(stage("old", 6, UNLOADED), OURS)
    known.take_list(listed(3, stage("old", 1), stage("a", 2, LOADING), stage("other", 3)))
    assert states(known) == {"a": READY, "new": LOADING, "other": READY}
    known.take_list(listed(7, stage("a", 4)))
    assert states(known) == {"a": READY}
    assert not known.take(stage("a", 3, FAILED), OURS)


def test_what_a_machine_released_is_told_once_and_forgotten_when_something_is_deployed_again() -> None:
    known = KnownStages()
    gone = stage("a", 0, UNLOADED, released=True)
    assert known.take(gone, OURS) and not known.take(gone, OURS)
    known.clear()
    assert not known.take(gone, OURS), "a new connection tells it again"
    known.take(stage("b", 1, LOADING, "theirs"), OURS)
    assert list(known.released) == ["a"]
    known.take(stage("c", 2, LOADING), OURS)
    assert not known.released


def test_a_stage_that_is_released_while_it_is_watched() -> None:
    known = KnownStages()
    known.take(stage("a", 1), OURS)
    assert known.take(stage("a", 2, UNLOADED, released=True), OURS)
    known.take_list(listed(2, stage("a", 0, UNLOADED, released=True)))
    assert not known.now and list(known.released) == ["a"]


def test_a_release_that_a_list_told_first_is_news_all_the_same() -> None:
    known = KnownStages()
    gone = stage("a", 0, UNLOADED, released=True)
    known.take_list(listed(1, gone))
    assert known.take(gone, OURS) and not known.take(gone, OURS)


def test_a_note_of_a_release_that_was_taken_away_does_not_come_back() -> None:
    known = KnownStages()
    gone = stage("a", 0, UNLOADED, released=True)
    known.take_list(listed(1, gone))
    assert list(known.released) == ["a"] and not known.now
    known.end("a")
    assert not known.take(gone, OURS) and not known.released

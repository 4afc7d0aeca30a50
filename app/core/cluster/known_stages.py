"""What one machine last said of its stages: by events, which come in order, and when asked, which may overtake them.

events     loading  ready            …              unloaded (late: known by then)
answers                   the list   unload: done
"""

from __future__ import annotations

from collections.abc import Iterable

from shardd.rpc import agent_pb2


class KnownStages:
    """now: what is there, by stage_id. released: what the machine unloaded by itself while this controller was away."""

    def __init__(self) -> None:
        self.now: dict[str, agent_pb2.Stage] = {}
        self.released: dict[str, agent_pb2.Stage] = {}
        self._events = 0
        self._heard: dict[str, int] = {}  # stage_id: the number of the last event about it
        self._ended: set[str] = set()  # whatever an event or a list still says of these is old: no stage_id comes twice

    def clear(self) -> None:
        """The machine is out of sight: all that is there will be said anew."""
        self.now.clear()
        self._heard.clear()
        self._ended.clear()

    def take(self, stage: agent_pb2.Stage, own: str) -> bool:
        """An event's stage; answers whether it is news. own: this controller's fingerprint."""
        unloaded = stage.state == agent_pb2.STAGE_STATE_UNLOADED
        if stage.stage_id in self._ended and (stage.released or not unloaded):
            return False
        self._events += 1
        self._heard[stage.stage_id] = self._events
        if unloaded:
            self.now.pop(stage.stage_id, None)
        else:
            self.now[stage.stage_id] = stage
            if stage.deployed_by == own:
                self.released.clear()  # as the agent does when we deploy again
        if stage.released:
            if stage.stage_id in self.released:  # it says so at every new connection
                return False
            self.released[stage.stage_id] = stage
        return True

    def asking(self) -> int:
        """Before the machine is asked for its list; goes with it to take_list."""
        return self._events

    def take_list(self, stages: Iterable[agent_pb2.Stage], asked: int) -> None:
        """What it answered; what events have said of a stage meanwhile stays."""
        listed = {stage.stage_id: stage for stage in stages if stage.stage_id not in self._ended}
        later = {stage_id for stage_id, number in self._heard.items() if number > asked}
        kept = {stage_id: stage for stage_id, stage in self.now.items() if stage_id in later}
        fresh = {stage_id: stage for stage_id, stage in listed.items() if stage_id not in later}
        self.now = kept | {stage_id: stage for stage_id, stage in fresh.items() if not stage.released}
        self.released = {stage_id: stage for stage_id, stage in listed.items() if stage.released}

    def end(self, stage_id: str) -> None:
        """The machine has answered that it has unloaded this one."""
        self._ended.add(stage_id)
        self.now.pop(stage_id, None)
        self.released.pop(stage_id, None)

"""What one machine last said of its stages: events, lists and the progress of loads come on several connections, and
one may overtake another. The revision that each carries tells which is later.

events        loading  ready              failed (late)  ready   unloaded (late)
load                        failed: again … ready
list, unload                                                 gone
"""

from __future__ import annotations

from shardd.rpc import agent_pb2


class KnownStages:
    """now: what is there, by stage_id. released: what the machine unloaded by itself while this controller was away."""

    def __init__(self) -> None:
        self.now: dict[str, agent_pb2.Stage] = {}
        self.released: dict[str, agent_pb2.Stage] = {}
        self._told: set[str] = set()  # of what was released: it says so at every new connection
        self._revisions: dict[str, int] = {}  # the latest that was heard, by stage_id
        self._ended: set[str] = set()  # no stage_id comes twice

    def clear(self) -> None:
        """The machine is out of sight: all that is there will be said anew, by an agent that may have begun anew."""
        self.now.clear()
        self._revisions.clear()
        self._ended.clear()

    def take(self, stage: agent_pb2.Stage, own: str) -> bool:
        """What it said of one stage; answers whether it is news. own: this controller's fingerprint."""
        stage_id, unloaded = stage.stage_id, stage.state == agent_pb2.STAGE_STATE_UNLOADED
        if stage_id in self._ended:
            return unloaded and not stage.released
        if stage.revision < self._revisions.get(stage_id, 0):
            return False
        self._revisions[stage_id] = stage.revision
        if unloaded:
            self.now.pop(stage_id, None)
        else:
            self.now[stage_id] = stage
            if stage.deployed_by == own:
                self.released.clear()  # as the agent does when we deploy again
        if stage.released:
            self.released[stage_id] = stage
            if stage_id in self._told:
                return False
            self._told.add(stage_id)
        return True

    def take_list(self, reply: agent_pb2.ListStagesReply) -> None:
        """What it answered when it was asked; what was said later stays."""
        told = {stage.stage_id: stage for stage in reply.stages if stage.stage_id not in self._ended}
        later = {stage_id for stage_id, revision in self._revisions.items() if revision > reply.revision}
        there = {i: stage for i, stage in told.items() if not stage.released and i not in later}
        self.now = {i: stage for i, stage in self.now.items() if i in later} | there
        self.released = {i: stage for i, stage in told.items() if stage.released}
        self._revisions.update({i: stage.revision for i, stage in there.items()})

    def end(self, stage_id: str) -> None:
        """The machine has answered that it has unloaded this one."""
        self._ended.add(stage_id)
        self.now.pop(stage_id, None)
        self.released.pop(stage_id, None)

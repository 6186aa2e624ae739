"""`ReplicaActor`: brings one replica to what the leader wants, and says where it stands.

It decides nothing. Every message makes a new `Situation` of the present one (`transitions.py`), which says
what shall be going on; the actor begins and drops tasks until that is so, keeps the record and tells the
agent what has changed.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.node.host import Host
from orca.node.record import ReplicaRecord, best_effort
from orca.node.replica import steps
from orca.node.replica.decide import decide
from orca.node.replica.messages import (
    Changed,
    Gone,
    ReplicaMessage,
    ReplicaNews,
    Surveyed,
    Suspect,
    TaskDone,
    TaskFailed,
)
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Pause, Slot, Task
from orca.node.replica.transitions import after
from orca.rpc.messages import Assignment

log = logging.getLogger(__name__)


class ReplicaActor(Actor[ReplicaMessage]):
    """One replica on this node."""

    def __init__(
        self,
        host: Host,
        agent: Ref[ReplicaNews],
        record: ReplicaRecord,
        *,
        assignment: Assignment | None = None,
        dismissed: str = "",
        away: str = "",
    ) -> None:
        self._host = host
        self._agent = agent
        self._written = record
        self._reported: ReplicaStatus | None = None
        self._passed: set[ReplicaNews] = set()
        """Milestones the agent was told of."""
        self._situation = Situation.first(
            record, assignment=assignment, dismissed=dismissed, away=away
        )

    async def started(self) -> None:
        """Report once, then look for a container to adopt."""
        self._become(decide(self._situation, now=self._host.now()))

    async def receive(self, message: ReplicaMessage) -> None:
        """Make what follows from a message so."""
        self._become(after(self._situation, message, now=self._host.now()))
        if isinstance(message, TaskFailed):
            self._explain(message)

    def _become(self, situation: Situation) -> None:
        before, self._situation = self._situation.tasks, situation
        for slot in Slot:
            task = situation.tasks.get(slot)
            if task != before.get(slot):
                self.context.cancel(slot)
                if task is not None:
                    self._begin(task)
        self._keep(situation)
        self._tell(situation)

    def _begin(self, task: Task) -> None:
        if isinstance(task.activity, Pause):
            self.context.after(task.activity.seconds, TaskDone(task), key=task.slot)
            return
        self.context.start(
            steps.take(self._host, task.activity),
            key=task.slot,
            done=lambda outcome: TaskDone(task, outcome),
            failed=lambda error: TaskFailed(task, error),
        )

    def _keep(self, situation: Situation) -> None:
        if situation.record == self._written or situation.gone:
            return
        self._written = situation.record
        with best_effort():
            self._host.record.keep(situation.record)

    def _tell(self, situation: Situation) -> None:
        replica, report = situation.replica.id, situation.report
        if report != self._reported:
            self._warn(report)
            self._reported = report
            self._agent.tell(Changed(replace(report, changed_at=self._host.now())))
        if situation.surveyed:
            self._pass(Surveyed(replica))
        if situation.gone:
            self._pass(Gone(replica))

    def _pass(self, milestone: ReplicaNews) -> None:
        if milestone not in self._passed:
            self._passed.add(milestone)
            self._agent.tell(milestone)

    def _warn(self, report: ReplicaStatus) -> None:
        before, service = self._reported, self._situation.replica.service
        failed = report.state is ReplicaState.FAILED
        if failed and before is not None and before.state is not report.state:
            log.warning("replica %s of %s has failed: %s", report.replica, service, report.reason)

    def _explain(self, failed: TaskFailed) -> None:
        """Say what a failed task means to others: to the agent, and to whoever reads the log."""
        error, next_step = failed.error, self._situation.step
        if isinstance(error, errors.DockerUnavailable):
            self._agent.tell(Suspect(error.message))
        elif failed.task.slot is Slot.STEP and isinstance(next_step, Pause):
            log.info(
                "replica %s: %s failed, again in %.0f s: %s",
                self._situation.replica.id,
                type(failed.task.activity).__name__.lower(),
                next_step.seconds,
                error.message,
            )

"""`Situation`: all that one replica's actor knows, as one frozen value. Pure.

It holds the wish, what Docker showed last, what has been, what was said, and what is going on. What
follows from these is a property and never held: whether the replica is ready, what is to be reported and
what belongs on the disk. Nothing here decides: see `decide.py` and `transitions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orca.model.container import ContainerSpec
from orca.model.replica import Desired, Replica, ReplicaStatus, can_follow
from orca.node.record import ReplicaRecord
from orca.node.replica.past import Past
from orca.node.replica.run import Run
from orca.node.replica.tasks import Activity, Find, Inspect, Slot, Task
from orca.node.runtime import Container
from orca.rpc.messages import Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where one replica stands."""

    # --- what is wanted ---
    wish: ReplicaRecord
    """As much of it as may be written down."""
    assignment: Assignment | None = field(default=None, repr=False)
    """With secrets; None while only the record is known."""
    dismissed: str = ""
    """Why the leader wants it no more; empty while it does."""

    # --- what Docker shows ---
    away: str = ""
    """Why Docker does not answer; empty while it does."""
    container: Container | None = None
    """As last seen."""
    doubted: bool = True
    """Whether something happened since that look began."""
    has_secret_files: bool = False
    """Whether the host had its secret files at that look."""
    image: str = ""
    """What the pull brought."""
    run: Run | None = None
    """The run that is going on, being probed."""
    gone: bool = False
    """Nothing is left on this host."""

    # --- what became of it ---
    past: Past = field(default_factory=Past)
    status: ReplicaStatus
    """What was said, without what follows from the above: see `report`."""
    tasks: Mapping[Slot, Task] = field(default_factory=dict)
    """What is going on."""
    begun: int = 0
    """Tasks so far."""

    @classmethod
    def first(
        cls,
        record: ReplicaRecord,
        *,
        assignment: Assignment | None = None,
        dismissed: str = "",
        away: str = "",
    ) -> Situation:
        """Nothing was seen yet; what was final before stays so."""
        status = ReplicaStatus(
            replica=record.replica.id,
            state=record.final,
            permanent=record.permanent,
            attempt=record.attempt,
            restarts=record.restarts,
            port=record.container.port,
            reason="it had ended before this agent started" if record.final.is_final else "",
        )
        return cls(
            wish=record, assignment=assignment, dismissed=dismissed, away=away, status=status
        )

    # --- what is wanted ---

    @property
    def replica(self) -> Replica:
        """What the leader assigned."""
        return self.wish.replica

    @property
    def spec(self) -> ContainerSpec:
        """The whole spec; without a master only what the record holds of it."""
        return self.wish.container if self.assignment is None else self.assignment.container

    @property
    def stopping(self) -> bool:
        """Whether nothing of it shall be left."""
        return bool(self.dismissed) or self.replica.desired is Desired.STOP

    @property
    def draining(self) -> bool:
        """Whether it may end and not come back."""
        return self.replica.desired is Desired.DRAIN

    @property
    def trace(self) -> str:
        """The deploy's, as long as it is the deploy that starts the container and not a restart."""
        if self.assignment is None or self.status.attempt > 1:
            return ""
        return self.assignment.trace

    # --- where it stands ---

    @property
    def final(self) -> bool:
        """Whether no container will be started any more."""
        return self.status.state.is_final

    @property
    def ready(self) -> bool:
        """Whether it may get requests."""
        return self.run is not None and self.run.ready(docker_away=bool(self.away))

    @property
    def available(self) -> bool:
        """Whether another replica may be given up for it."""
        return self.run is not None and self.run.available and self.ready

    @property
    def report(self) -> ReplicaStatus:
        """What is to be told of it."""
        return replace(self.status, ready=self.ready, available=self.available, reason=self._reason)

    @property
    def _reason(self) -> str:
        if self.away and not self.final:
            return self.away
        if self.run is None:
            return self.status.reason
        if not self.run.reason or not self.past.obituary.reason:
            return self.run.reason
        return f"{self.run.reason}; its last run {self.past.obituary.reason}"

    @property
    def surveyed(self) -> bool:
        """Whether it is known where the replica stands: only then its report may be believed."""
        if self.run is not None and not self.away:
            return self.run.shown
        return bool(self.away) or not isinstance(self.step, Find | Inspect)

    @property
    def record(self) -> ReplicaRecord:
        """What belongs on the disk."""
        return self.wish.as_of(self.status)

    # --- what is going on ---

    @property
    def step(self) -> Activity | None:
        """The step that is being taken, or the pause before the next."""
        task = self.tasks.get(Slot.STEP)
        return task.activity if task is not None else None

    def doing(self, slot: Slot, activity: Activity) -> Situation:
        """Begin something, instead of what the slot held."""
        number = self.begun + 1
        tasks = {**self.tasks, slot: Task(slot, number, activity)}
        return replace(self, tasks=tasks, begun=number)

    def without(self, *slots: Slot) -> Situation:
        """Drop what goes on in these slots."""
        kept = {slot: task for slot, task in self.tasks.items() if slot not in slots}
        return self if len(kept) == len(self.tasks) else replace(self, tasks=kept)

    def saying(self, **changes: Any) -> Situation:
        """Change the status; a state that cannot follow is not taken."""
        before, after = self.status, replace(self.status, **changes)
        new_attempt = after.attempt != before.attempt
        if not can_follow(before.state, after.state, new_attempt=new_attempt):
            after = replace(after, state=before.state)
        return replace(self, status=after)

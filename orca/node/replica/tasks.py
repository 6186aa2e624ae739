"""What can be going on for a replica, as values: the steps of its life and what goes on beside them. Pure.

Deciding on them is `decide.py`'s and carrying them out `steps.py`'s. Some hold secrets, none shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orca.model.container import Probe
from orca.model.ids import ReplicaId
from orca.model.replica import Replica
from orca.node.record import ReplicaRecord
from orca.node.runtime import Container
from orca.rpc.messages import Assignment


class Slot(StrEnum):
    """Places for tasks: one at a time in each, side by side in different ones."""

    STEP = "step"
    """The one step towards what is wanted, or the pause before it is tried again."""
    NAME = "name"
    LAST_WORDS = "last words"
    """What the run that ended wrote last."""
    LISTENING = "listening"
    """What a run that is not ready writes."""
    SETTLING = "settling"
    """The time a run without probes has to stay up."""
    AVAILABILITY = "availability"
    """The time a ready run has to stay so."""
    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


# --- steps --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Find:
    """Look for the replica's container by its labels."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look at the container that is known."""

    replica: ReplicaId
    container: str


@dataclass(frozen=True, slots=True)
class Pull:
    """Have the revision's image on the host."""

    assignment: Assignment = field(repr=False)
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Make:
    """Create the container."""

    assignment: Assignment = field(repr=False)
    image: str
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start the container."""

    record: ReplicaRecord
    container: str
    secret_files: Mapping[str, str] = field(default_factory=dict, repr=False)
    again: bool = False
    """After a start that failed."""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """End a run that must not go on, and keep the container."""

    container: str
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Halt:
    """Leave nothing of the replica behind."""

    record: ReplicaRecord


Step = Find | Inspect | Pull | Make | Start | Interrupt | Halt

# --- anything else ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass before the slot's next task."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadLines:
    """Read the last lines of a run; `since` is the end of the run before it, or 0."""

    container: Container
    since: float


@dataclass(frozen=True, slots=True)
class SettleName:
    """Give the container its slot's name."""

    replica: Replica
    container: Container


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a probe once; `port` stands in where it names none."""

    probe: Probe = field(repr=False)
    container: Container
    port: int


Work = Step | ReadLines | SettleName | Ask
Activity = Work | Pause


@dataclass(frozen=True, slots=True)
class Task:
    """An activity that has begun."""

    slot: Slot
    number: int
    """Tells it from every other task of the replica, also from one that does the same."""
    activity: Activity


@dataclass(frozen=True, slots=True)
class Seen:
    """What `Find` and `Inspect` show."""

    container: Container | None
    secret_files: bool
    """Whether the host still has the replica's secret files."""

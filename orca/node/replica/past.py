"""`Past`: what earlier runs and steps of a replica mean for the next ones. Pure.

The hard part: which ended container is news. One whose end was dealt with already is not, one that a
failed start left behind is not, and one that ended while nobody was looking is no crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orca.node.replica.obituary import Obituary
from orca.node.runtime import Container
from orca.plan.restart import backoff_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is remembered, because no look at Docker would show it."""

    obituary: Obituary = field(default_factory=Obituary)
    """Why the last run ended."""
    buried: tuple[str, float] = ("", 0.0)
    """The newest end that was dealt with: the container's id, and when."""
    row: int = 0
    """Restarts since the last good run."""
    troubles: int = 0
    """Steps that failed since one succeeded that changed anything."""
    unstarted: bool = False
    """A start failed since the last that worked: that the container does not run is no death."""
    outage: bool = True
    """Docker or this agent was away since the container was last started or seen running."""

    @property
    def last_end(self) -> float:
        """When the run before the present one ended; 0 is never."""
        return self.buried[1]

    @property
    def patience_seconds(self) -> float:
        """How long to wait before the step that failed is tried again."""
        return backoff_seconds(self.troubles)

    def knows_end_of(self, container: Container) -> bool:
        """Whether this very end of the container is no news."""
        return self.unstarted or self.buried == (container.id, container.finished_at)

    def bury(self, container: Container) -> Past:
        """Deal with this end, or with the one before the run that goes on."""
        return replace(self, buried=(container.id, container.finished_at))

    def after_make(self) -> Past:
        """A container was made."""
        return replace(self, troubles=0)

    def after_start(self) -> Past:
        """A start worked: if the container ends from now on, it died."""
        return replace(self, troubles=0, unstarted=False, outage=False)

    def after_failure(self, *, of_start: bool) -> Past:
        """A step failed."""
        return replace(self, troubles=self.troubles + 1, unstarted=self.unstarted or of_start)

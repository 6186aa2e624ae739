"""`Allegiance`: whom a node obeys. Pure.

A leader that was replaced must not be obeyed, whatever it still sends: nobody of a lower epoch than the
highest that was heard of, and nobody but the present session. What has ever been heard is for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from orca.model.ids import Epoch


class Verdict(Enum):
    """What becomes of a message."""

    OBEY = auto()
    REFUSE = auto()
    """A newer leader has been heard of."""
    IGNORE = auto()
    """It was said in a session that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allegiance:
    """The newest leader, and what it has said in this session."""

    epoch: Epoch
    session: int = 0
    """The session that was greeted; 0 is none."""
    complete: bool = False
    """Whether this session has said everything the node is to run: only then there are orphans."""

    def judge(self, epoch: Epoch, *, session: int) -> Verdict:
        """Of a message that a leader said."""
        if epoch < self.epoch:
            return Verdict.REFUSE
        return Verdict.OBEY if session == self.session else Verdict.IGNORE

    def heard(self, epoch: Epoch) -> Allegiance:
        """A leader of this epoch exists."""
        return replace(self, epoch=max(epoch, self.epoch))

    def greeted(self, session: int) -> Allegiance:
        """A session begins, in which nothing has been said."""
        return replace(self, session=session, complete=False)

    def parted(self) -> Allegiance:
        """There is no session."""
        return self.greeted(0)

    def completed(self) -> Allegiance:
        """The session has said everything."""
        return replace(self, complete=True)

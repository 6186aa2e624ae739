"""The pulse of a run: when its probes are asked, and what its answers bring about. Pure.

What an answer means is `probe_state.py`'s; that a run has to be ended is `decide.py`'s to see.
"""

from __future__ import annotations

from dataclasses import replace

from orca.node.replica.probe_state import SETTLE_SECONDS
from orca.node.replica.run import Run
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Pause, ReadLines, Slot
from orca.node.runtime import Container

AWAY_PACE_SECONDS = 1.0
"""Probes go on at least this often while Docker does not answer: they are all that is known."""
LISTEN_SECONDS = 1.0
"""After this long the output of a run that is not ready is read."""

_SLOTS = (
    *(Slot.STARTUP, Slot.READINESS, Slot.LIVENESS),
    *(Slot.SETTLING, Slot.AVAILABILITY, Slot.LISTENING),
)


def begin(
    situation: Situation, container: Container, *, now: float, ready: bool = False
) -> Situation:
    """A container was seen to run; `ready` says that it was known to be."""
    age = max(0.0, now - container.started_at)
    run = Run.begin(container, situation.spec, age_seconds=age, ready=ready)
    situation = _schedule(end(situation), run)
    if run.health.settled:
        return situation
    return situation.doing(Slot.SETTLING, Pause(SETTLE_SECONDS - age))


def end(situation: Situation) -> Situation:
    """No run goes on any more: ask nothing."""
    return replace(situation.without(*_SLOTS), run=None)


def hurry(situation: Situation) -> Situation:
    """Docker has left: ask at once, the network is the only witness now."""
    if situation.run is None or Slot.READINESS not in situation.run.health.due:
        return situation
    return situation.doing(Slot.READINESS, Pause(0.0))


def due(situation: Situation, slot: Slot) -> Situation:
    """A pause has passed."""
    if situation.run is None or slot not in _SLOTS:
        return situation
    match slot:
        case Slot.SETTLING:
            return replace(situation, run=situation.run.settled())
        case Slot.AVAILABILITY:
            return replace(situation, doubted=True, run=replace(situation.run, ripe=True))
        case Slot.LISTENING:
            return _listen(situation, situation.run)
        case _:
            return situation.doing(slot, situation.run.question(slot))


def ripen(situation: Situation) -> Situation:
    """Count the time that a run is ready without a break; `min_ready_seconds` come with the assignment."""
    run, assignment = situation.run, situation.assignment
    if run is None:
        return situation
    if not situation.ready:
        fresh = replace(run, ripe=False, available=False)
        return replace(situation, run=fresh).without(Slot.AVAILABILITY)
    if run.ripe or assignment is None or Slot.AVAILABILITY in situation.tasks:
        return situation
    return situation.doing(Slot.AVAILABILITY, Pause(assignment.min_ready_seconds))


def answered(situation: Situation, slot: Slot, reason: str | None) -> Situation:
    """A probe was asked and said `reason`: empty is a success, None is that nothing was learned."""
    if situation.run is None:
        return situation
    situation = _schedule(situation, situation.run.observe(slot, reason))
    if situation.ready or Slot.LISTENING in situation.tasks:
        return situation
    return situation.doing(Slot.LISTENING, Pause(LISTEN_SECONDS))


def heard(situation: Situation, lines: tuple[str, ...]) -> Situation:
    """The output of the run was read: while it is not ready, it may be saying why."""
    if not lines or situation.run is None or situation.ready:
        return situation
    return situation.saying(last_lines=lines)


def _listen(situation: Situation, run: Run) -> Situation:
    if situation.ready:
        return situation
    lines = ReadLines(run.container, since=situation.past.last_end)
    return situation.doing(Slot.LISTENING, lines)


def _schedule(situation: Situation, run: Run) -> Situation:
    """With the run as it is now, and a time for each of its questions."""
    situation = replace(situation, run=run)
    for slot, gauge in run.due():
        if slot not in situation.tasks:
            pace = gauge.pace_seconds
            pause = Pause(min(pace, AWAY_PACE_SECONDS) if situation.away else pace)
            situation = situation.doing(slot, pause)
    return situation

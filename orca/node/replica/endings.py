"""How runs end and what follows: a restart now or later, the end of a drain, or giving up. Pure."""

from __future__ import annotations

from dataclasses import replace

from orca.model.replica import ReplicaState
from orca.node.replica import pulse
from orca.node.replica.situation import Situation
from orca.node.replica.tasks import Interrupt, Pause, ReadLines, Slot
from orca.node.runtime import Container
from orca.plan.restart import GiveUp, backoff_seconds, next_restart


def died(situation: Situation, container: Container, *, now: float) -> Situation:
    """The container ended, and nobody has dealt with that yet."""
    before = situation.past
    situation = replace(pulse.end(situation), past=before.bury(container)).saying(address="")
    if before.outage:
        # It ended because the daemon or the host did: nothing is wrong with it.
        return _next_attempt(situation)
    situation = _mourn(situation, container, since=before.last_end)
    death = situation.past.obituary
    if situation.draining:
        return situation.saying(state=ReplicaState.STOPPED, reason=death.reason)
    if death.hopeless:
        return give_up(situation, death.reason, permanent=True)
    ran = max(0.0, container.finished_at - container.started_at)
    verdict = next_restart(
        row=before.row, ran_seconds=ran, max_restarts=situation.wish.container.max_restarts
    )
    if isinstance(verdict, GiveUp):
        return give_up(situation, f"{death.reason}; {verdict.reason}", permanent=False)
    situation = replace(situation, past=replace(situation.past, row=verdict.row))
    return _restart(situation, delay_seconds=verdict.delay_seconds, now=now)


def vanished(situation: Situation, *, now: float) -> Situation:
    """Somebody removed the container: that is a death without a body."""
    situation = pulse.end(situation)
    if situation.draining:
        return situation.saying(state=ReplicaState.STOPPED, reason="its container was removed")
    row = situation.past.row
    situation = replace(situation, past=replace(situation.past, row=row + 1))
    situation = situation.saying(reason="its container was removed by somebody else")
    return _restart(situation, delay_seconds=backoff_seconds(row), now=now)


def restarted_by_others(situation: Situation) -> Situation:
    """The run that went on has ended and another has begun."""
    return _next_attempt(pulse.end(situation), restarts=1)


def interrupt(situation: Situation, container: Container, reason: str) -> Situation:
    """A container that lives and does not work is ended; its death is then a death like any."""
    told = situation.past.obituary.because(reason)
    situation = replace(pulse.end(situation), past=replace(situation.past, obituary=told))
    situation = situation.saying(reason=f"being restarted: {reason}")
    grace = situation.wish.container.stop_grace_seconds
    return situation.doing(Slot.STEP, Interrupt(container.id, grace_seconds=grace))


def give_up(situation: Situation, reason: str, *, permanent: bool) -> Situation:
    """Try no more."""
    return pulse.end(situation).saying(
        state=ReplicaState.FAILED, reason=reason, permanent=permanent, next_restart_at=0.0
    )


def _mourn(situation: Situation, container: Container, *, since: float) -> Situation:
    """Keep why it died; its last lines come later, a restart does not wait for them."""
    death = situation.past.obituary.of(container)
    situation = replace(situation, past=replace(situation.past, obituary=death)).saying(
        exit_code=container.exit_code,
        oom_killed=container.oom_killed,
        reason=death.reason,
        last_lines=(),
    )
    return situation.doing(Slot.LAST_WORDS, ReadLines(container, since=since))


def _restart(situation: Situation, *, delay_seconds: float, now: float) -> Situation:
    if delay_seconds:
        situation = situation.saying(next_restart_at=now + delay_seconds)
        situation = situation.doing(Slot.STEP, Pause(delay_seconds))
    return _next_attempt(situation, restarts=1)


def _next_attempt(situation: Situation, *, restarts: int = 0) -> Situation:
    """Begin again; `restarts` says whether that counts as a restart."""
    return situation.saying(
        state=ReplicaState.STARTING if situation.container else ReplicaState.PULLING,
        attempt=situation.status.attempt + 1,
        restarts=situation.status.restarts + restarts,
        address="",
    )

"""Watching rollouts to their end, and telling what came of them.

The hard part is leaving: neither a deadline, nor Ctrl-C, nor a restart of the server ends a rollout,
and the user has to be told so. A broken stream is taken up again, because the server may be restarting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import typer

from orca import errors
from orca.cli import board, exits, output, session, terminal
from orca.cli.options import Connection, Waiting
from orca.cli.render import humanize, outcome, rollout, status
from orca.cli.results import Outcome
from orca.client.schema import Accepted, RolloutView

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

RECONNECT_PAUSE_SECONDS = 1.0
RECONNECT_ATTEMPTS_MAX = 30


def finish(
    connection: Connection,
    accepted: Sequence[Accepted],
    *,
    unchanged: Sequence[str] = (),
    waiting: Waiting,
    form: str,
) -> None:
    """Watch what was accepted to its end unless told not to, and print the result.

    Raises `errors.RolloutFailed` after the result, and `errors.DeadlineExceeded`.
    """
    ids = tuple(change.rollout for change in accepted if change.rollout)
    result = Outcome(accepted=tuple(accepted), unchanged=tuple(unchanged))
    if ids and not waiting.detach:
        result = _ended(connection, result, ids, waiting.timeout)
    output.emit(result, form, lambda: outcome.outcome(result))
    if result.failed:
        _fail(result, form)


def _ended(
    connection: Connection, result: Outcome, ids: tuple[str, ...], timeout_seconds: float | None
) -> Outcome:
    views: dict[str, RolloutView] = {}
    try:
        with board.board() as shown:
            session.call(connection, lambda c: _watch(c, ids, views, shown, timeout_seconds))
    except TimeoutError as error:
        moving = ", ".join(_moving(result, views))
        raise errors.DeadlineExceeded(
            f"Not finished after {humanize.duration(timeout_seconds or 0)}: {moving}. "
            "The rollout goes on.",
            hint="`orca status --watch` follows it; `orca rollback SERVICE` goes back.",
        ) from error
    except KeyboardInterrupt as interrupt:
        moving = ", ".join(_moving(result, views))
        terminal.note(f"Interrupted. The rollout goes on: {moving}. See it with `orca status`.")
        raise typer.Exit(exits.INTERRUPTED) from interrupt
    urls = session.call(connection, lambda client: _urls(client, result))
    ordered = tuple(views[id_] for id_ in ids)
    return result.model_copy(update={"rollouts": ordered, "urls": urls})


async def _watch(
    client: OrcaClient,
    ids: tuple[str, ...],
    views: dict[str, RolloutView],
    shown: board.Board,
    timeout_seconds: float | None,
) -> None:
    attempts = 0
    async with asyncio.timeout(timeout_seconds):
        while open_ids := tuple(id_ for id_ in ids if not _has_ended(views.get(id_))):
            try:
                async with aclosing(client.watch_rollouts(open_ids)) as changes:
                    async for view in changes:
                        attempts = 0
                        views[view.id] = view
                        shown.update(view)
            except errors.Unavailable as error:
                if attempts >= RECONNECT_ATTEMPTS_MAX:
                    raise _lost(error) from error
            attempts += 1
            if any(not _has_ended(views.get(id_)) for id_ in ids):
                await asyncio.sleep(RECONNECT_PAUSE_SECONDS)


def _lost(error: errors.Unavailable) -> errors.Unavailable:
    return type(error)(
        f"{error.message} What was accepted goes on without being watched.",
        hint="`orca status` tells how it ended, once the server answers.",
    )


async def _urls(client: OrcaClient, result: Outcome) -> dict[str, tuple[str, ...]]:
    now = {status.ref(service): service for service in (await client.status()).services}
    moved = [change.service for change in result.accepted]
    return {name: now[name].urls for name in moved if name in now and now[name].urls}


def _has_ended(view: RolloutView | None) -> bool:
    return view is not None and view.phase != "progressing"


def _moving(result: Outcome, views: dict[str, RolloutView]) -> list[str]:
    moving = []
    for change in result.accepted:
        view = views.get(change.rollout)
        if view is None and change.rollout:
            moving.append(change.service)
        elif view is not None and not _has_ended(view):
            waiting = f", {view.waiting}" if view.waiting else ""
            moving.append(f"{change.service} ({rollout.counts(view)}{waiting})")
    return moving


def _fail(result: Outcome, form: str) -> None:
    if form == "table":
        terminal.note(outcome.failures(result))
    first = result.failed[0]
    count = f"{len(result.failed)} of {humanize.plural(len(result.rollouts), 'rollout')} failed"
    causes = "; ".join(f"{view.service}: {view.reason or 'unknown'}" for view in result.failed)
    raise errors.RolloutFailed(
        f"{count}: {causes}",
        hint="; ".join(f"`{command}`" for command in rollout.next_commands(first.service)),
    )

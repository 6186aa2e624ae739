"""The audit log: one line per change that was asked for: who, what, and what came of it.

Lines go to the logger `audit`. Bodies never do: they may hold secrets. What was refused is logged too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from aiohttp import web

from orca.master.api import problems
from orca.master.api.routes import Route
from orca.master.control import Principal
from orca.telemetry import logs

LOGGER = "audit"
REPLAYED = "Idempotency-Replayed"
"""Response header: the answer is that of an earlier request with the same key."""
OUTCOME: web.RequestKey[str] = web.RequestKey("outcome", str)
"""How a socket ended, of which the status said only that it began."""

_log = logs.get_logger(LOGGER)


class Record:
    """What is to be said of one request; nothing for routes that change nothing."""

    def __init__(self, route: Route[Any, Any], request: web.Request) -> None:
        self.caller: Principal | None = None
        self._route = route
        self._request = request
        self._begun = asyncio.get_running_loop().time()

    async def kept_of(self, work: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        """Do `work` and write down what came of it."""
        try:
            response = await work
        except asyncio.CancelledError:
            self._write(self._request.get(OUTCOME, "cancelled"), status=0)
            raise
        except Exception as error:
            self.failed(error)
            raise
        outcome = "replayed" if REPLAYED in response.headers else "ok"
        self._write(self._request.get(OUTCOME, outcome), status=response.status)
        return response

    def failed(self, error: Exception) -> None:
        """Write down that it was refused or did not work out."""
        refusal = error.error if isinstance(error, problems.Refusal) else error
        status = error.status if isinstance(error, problems.Refusal) else 0
        self._write(
            getattr(refusal, "kind", "internal"),
            status=status or getattr(refusal, "http_status", 500),
        )

    def _write(self, outcome: str, *, status: int) -> None:
        if not self._route.changes:
            return
        took = asyncio.get_running_loop().time() - self._begun
        _log.info(
            f"{self._route.method} {self._route.path}",
            who=self.caller.name if self.caller else "",
            role=self.caller.role.name.lower() if self.caller else "",
            target=dict(self._request.match_info),
            project=self._request.query.get("project", ""),
            outcome=outcome,
            status=status,
            seconds=round(took, 3),
            remote=self._request.remote or "",
        )

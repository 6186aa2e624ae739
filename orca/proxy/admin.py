"""Envoy's administration interface: the only place that speaks to it.

It listens on a Unix socket below the proxy's home, never on a port. Everything here is a question
that costs little, or the order to drain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import aiohttp

from orca import errors
from orca.model.ids import ServiceId
from orca.proxy.envoy_config.bootstrap import FINGERPRINT
from orca.proxy.ports import EndpointKey

SOCKET_PATH_BYTES_MAX: Final = 107
"""The kernel's bound on the path of a Unix socket."""

_NAMED_FILTER_MAX: Final = 16


class Admin:
    """One Envoy's admin socket. Every method raises `Unavailable` if Envoy does not answer."""

    def __init__(self, socket: Path, *, timeout_seconds: float = 2.0) -> None:
        self.socket = socket
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def fingerprint(self) -> str:
        """What the running Envoy was started with; empty if it was not started by orca."""
        info = json.loads(await self._ask("GET", "/server_info"))
        metadata = info.get("node", {}).get("metadata", {})
        return str(metadata.get(FINGERPRINT, ""))

    async def is_ready(self) -> bool:
        """Whether Envoy has started all it was configured for."""
        info = json.loads(await self._ask("GET", "/server_info"))
        return bool(info.get("state") == "LIVE")

    async def statistics(self, pattern: str) -> dict[str, str]:
        """Statistics whose names match a regular expression, as text."""
        text = await self._ask("GET", "/stats", filter=pattern)
        pairs = (line.partition(": ") for line in text.splitlines())
        return {name: value.strip('"') for name, _, value in pairs}

    async def configuration_statistics(self, parts: Collection[str]) -> dict[str, str]:
        """`version_text`, `update_rejected` and `update_failure` of these parts."""
        # A filter that names a thousand clusters costs more than the answer it would spare.
        named = "|".join(re.escape(part) for part in parts)
        prefix = f"^({named})\\." if len(parts) <= _NAMED_FILTER_MAX else ""
        return await self.statistics(prefix + "(version_text|update_rejected|update_failure)$")

    async def connections(self) -> int:
        """Open client connections."""
        found = await self.statistics(r"^http\.ingress\.downstream_cx_active$")
        return sum(int(value) for value in found.values())

    async def active_requests(self, services: Collection[ServiceId]) -> dict[EndpointKey, int]:
        """Requests in flight at each endpoint of these services."""
        named = "|".join(re.escape(str(service)) for service in services)
        text = await self._ask("GET", "/clusters", format="json", filter=f"^({named})$")
        statuses = json.loads(text or "{}").get("cluster_statuses", [])
        return dict(
            _active(status["name"], host)
            for status in statuses
            for host in status.get("host_statuses", [])
        )

    async def send_clients_away(self) -> None:
        """Accept nobody any more, and end every connection after its next answer."""
        # The first starts the drain of what is connected, the second closes the doors at once;
        # alone, the first would go on accepting until the drain time is over.
        await self._ask("POST", "/drain_listeners", graceful="")
        await self._ask("POST", "/drain_listeners")

    async def reopen_logs(self) -> None:
        """Let go of log files that were renamed."""
        await self._ask("POST", "/reopen_logs")

    async def _ask(self, method: str, path: str, **query: str) -> str:
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(path=str(self.socket)), timeout=self._timeout
                ) as session,
                session.request(method, f"http://envoy{path}", params=query) as answer,
            ):
                answer.raise_for_status()
                return await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise errors.Unavailable(
                f"Envoy does not answer at {self.socket} ({path}): {reason}.",
                hint="orca tries again by itself; envoy.log next to the socket may say more.",
            ) from error


def _active(cluster: str, host: dict[str, Any]) -> tuple[EndpointKey, int]:
    address = host["address"]["socket_address"]
    key = EndpointKey(ServiceId.parse(cluster), address["address"], int(address["port_value"]))
    gauges = {stat["name"]: int(stat.get("value", 0)) for stat in host.get("stats", [])}
    return key, gauges.get("rq_active", 0)

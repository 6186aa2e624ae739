"""The API on a socket: where it may listen, what stands in its way, and how it ends."""

from __future__ import annotations

import errno
import ipaddress
import os
from ssl import SSLContext

from aiohttp import web

from orca import errors, processes

SHUTDOWN_SECONDS = 5.0
"""How long requests may take to end before their connections are cut."""
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 6880


class ApiServer:
    """Serves an application from `start` to `stop`."""

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        ssl: SSLContext | None = None,
    ) -> None:
        """Raises `UserError` for an address that others can reach without TLS. Port 0 is any."""
        if ssl is None and not is_loopback(host):
            raise errors.UserError(
                f"The API would be reachable without encryption on {host}.",
                hint="Give it a certificate, or let it listen on 127.0.0.1.",
            )
        self._runner = web.AppRunner(
            app,
            access_log=None,
            # Ends streams and reads when the client leaves; changes are sheltered from it.
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        self._host = host
        self._port = port
        self._ssl = ssl

    def __repr__(self) -> str:
        return f"ApiServer({self.url!r})"

    @property
    def url(self) -> str:
        """Where clients find it; the real port once it has started."""
        scheme = "https" if self._ssl else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        bound = self._runner.addresses
        return int(bound[0][1]) if bound else self._port

    async def start(self) -> None:
        """Listen. Raises `Conflict` when the port is taken, `UserError` when it may not be used."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise self._refused(error) from error

    async def stop(self) -> None:
        """End streams with a word, let changes finish, close; idempotent."""
        await self._runner.cleanup()

    def _refused(self, error: OSError) -> errors.OrcaError:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            holder = processes.listener_of(self._port, _ip(self._host)) or "another process"
            return errors.Conflict(
                f"The API cannot listen on {where}: {holder} already does.",
                hint="End it, or set another `api_port` under [cluster] in cluster.toml.",
            )
        reason = os.strerror(error.errno) if error.errno else str(error)
        return errors.UserError(
            f"The API cannot listen on {where}: {reason}.",
            hint="Set another `api_port` under [cluster] in cluster.toml.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; names other than localhost never count."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ip(host: str) -> str:
    return "" if host == "localhost" else host

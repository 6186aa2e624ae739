"""Names that only the server knows, fast or not at all.

Not through `orca.client`: its HTTP library alone takes longer to import than a person at a prompt
wants to wait. A request of the standard library is enough for one list, and every failure is silence.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from orca import errors
from orca.cli import table
from orca.client.settings import ClientSettings

TIMEOUT_SECONDS = 0.5

_PATHS = {table.SERVICE: "/api/v1/status", table.SECRET: "/api/v1/secrets"}
_LISTS = {table.SERVICE: "services", table.SECRET: "secrets"}


def names(kind: str) -> tuple[str, ...]:
    """Names of a kind; none when there is no server, no permission or no time."""
    if kind not in _PATHS:
        return ()
    try:
        body = _get(ClientSettings.discover(os.environ), _PATHS[kind])
        return tuple(_names(body[_LISTS[kind]]))
    except (errors.OrcaError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ()


def _get(settings: ClientSettings, path: str) -> dict[str, list[dict[str, str]]]:
    connection = _connection(settings)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {settings.token}"})
        answer = connection.getresponse()
        return dict(json.loads(answer.read())) if answer.status == http.HTTPStatus.OK else {}
    finally:
        connection.close()


def _connection(settings: ClientSettings) -> http.client.HTTPConnection:
    parts = urlsplit(settings.url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context(cafile=settings.ca_file)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)


def _names(items: Iterable[dict[str, str]]) -> Iterable[str]:
    """Bare names where they are unique, `project/name` always."""
    items = list(items)
    bare = [item["name"] for item in items]
    yield from (name for name in dict.fromkeys(bare) if bare.count(name) == 1)
    yield from (f"{item['project']}/{item['name']}" for item in items if item.get("project"))

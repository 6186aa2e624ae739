"""`orca version`: both ends."""

from __future__ import annotations

import platform

from orca import __version__, errors
from orca.cli import output, session
from orca.cli.options import Connection, Format, Output
from orca.cli.results import Versions

EXAMPLES = ("orca version", "orca version -o json")


def command(connection: Connection, output_format: Output = Format.TABLE) -> None:
    """Print the versions of client and server. That no server answers is not an error here."""
    versions = Versions(client=__version__, python=platform.python_version())
    reason = ""
    try:
        info = session.call(connection, lambda client: client.info())
        versions = versions.model_copy(update={"server": info})
    except (errors.Unavailable, errors.Denied, errors.DeadlineExceeded) as error:
        reason = error.message
    output.emit(versions, output_format, lambda: _text(versions, reason))


def _text(versions: Versions, reason: str) -> str:
    client = f"client  {versions.client} (Python {versions.python})"
    server = versions.server
    if server is None:
        return f"{client}\nserver  unknown: {reason}"
    return f"{client}\nserver  {server.version} (cluster {server.cluster}, etcd {server.store_version})"

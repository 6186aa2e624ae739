"""The only place that writes Envoy's configuration files.

A file is replaced by rename, which is what Envoy watches for, so it never reads half a file. Nothing
is written whose content is already there: an unchanged file wakes nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orca import errors, processes
from orca.proxy.envoy_config.resources import endpoints_file


class ConfigFiles:
    """The files below `<home>/proxy`, private to their owner."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.listeners = self.directory / "xds" / "lds.json"
        self.routes = self.directory / "xds" / "rds.json"
        self.clusters = self.directory / "xds" / "cds.json"
        self.endpoints_directory = self.directory / "xds" / "eds"
        self.access_log = self.directory / "access.log"

    def prepare(self) -> None:
        """Create the directories. Raises `Unavailable` if that cannot be done."""
        with translated(self.directory):
            for path in (self.directory, self.endpoints_directory.parent, self.endpoints_directory):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def endpoints(self, cluster: str) -> Path:
        """The endpoints file of one cluster."""
        return self.endpoints_directory / endpoints_file(cluster)

    def read(self, path: Path) -> str | None:
        """A file's content, None if it does not exist."""
        with translated(path):
            try:
                return path.read_text()
            except FileNotFoundError:
                return None

    def write(self, path: Path, text: str) -> None:
        """Replace a file. Raises `Unavailable` where the disk does not let us."""
        with translated(path):
            processes.write_private(path, text.encode())

    def remove_other_endpoints(self, clusters: frozenset[str]) -> None:
        """Remove the endpoints files of all clusters but these."""
        keep = {endpoints_file(cluster) for cluster in clusters}
        with translated(self.endpoints_directory), os.scandir(self.endpoints_directory) as found:
            for entry in found:
                if entry.name not in keep:
                    Path(entry.path).unlink(missing_ok=True)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the file system says into our words."""
    try:
        yield
    except OSError as error:
        raise errors.Unavailable(
            f"The proxy's files cannot be used: {error.filename or path}: {error.strerror}.",
            hint="Make space or correct the permissions; Envoy keeps serving what it has.",
        ) from error

"""Secrets as files: `/run/secrets/<name>` in the container, in memory on the host.

Each replica has a directory of its own, which its container sees read-only. The files are 0444 because
a container's user may be anyone; what keeps other users of the host out is the parent, 0700. They go
with the replica, and with the host's next boot.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from orca import errors
from orca.model.ids import ReplicaId


class SecretFiles:
    """The secret files of all replicas under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def directory(self, replica: ReplicaId) -> Path:
        """Where a replica's files are, whether or not they exist."""
        return self._root / replica

    def exist(self, replica: ReplicaId) -> bool:
        """Whether they are still there: a reboot of the host removes them."""
        return self.directory(replica).is_dir()

    def write(self, replica: ReplicaId, contents: Mapping[str, str]) -> Path:
        """Write or replace a replica's files; returns their directory. Raises `Failed`."""
        directory = self.directory(replica)
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._root.chmod(0o700)
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
            for name, content in contents.items():
                _write(directory / name, content)
        except OSError as error:
            raise errors.Failed(
                f"secret files cannot be written to {directory}: {error.strerror}",
                hint="orca needs a writable directory in memory there",
            ) from error
        return directory

    def remove(self, replica: ReplicaId) -> None:
        """Remove a replica's files, if it has any."""
        shutil.rmtree(self.directory(replica), ignore_errors=True)


def _write(path: Path, content: str) -> None:
    # By rename, so that a running container never reads half a secret.
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(content)
    temporary.chmod(0o444)
    temporary.replace(path)

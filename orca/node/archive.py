"""The logs of replicas that are gone: what `orca logs --previous` shows after a replacement.

`<home>/node/logs/<project>.<service>/<slot>-<replica>.log`, the last five per service, a megabyte each,
readable by their owner alone. Each line keeps its output and time: `out 2026-11-20T21:29:00Z text`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from orca.model.ids import ReplicaId, ServiceId
from orca.model.replica import Replica
from orca.node.runtime import LogQuery, Output
from orca.rpc.messages import Channel

log = logging.getLogger(__name__)

KEPT_FILES = 5
KEPT_BYTES = 1024 * 1024
_MARKS = {Channel.STDOUT: b"out ", Channel.STDERR: b"err "}
_CHANNELS = {mark: channel for channel, mark in _MARKS.items()}


async def collect(outputs: AsyncIterator[Output], *, bytes_max: int = KEPT_BYTES) -> list[Output]:
    """The end of a log, at most `bytes_max` of it."""
    kept: list[Output] = []
    size = 0
    async for output in outputs:
        kept.append(output)
        size += len(output.data)
        while size > bytes_max:
            size -= len(kept.pop(0).data)
    return kept


class LogArchive:
    """Archived logs under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def store(self, replica: Replica, outputs: Iterable[Output]) -> None:
        """Keep a replica's log, read with timestamps. A disk that refuses costs the log, no more."""
        directory = self._of(replica.service)
        path = directory / f"{replica.slot}-{replica.id}.log"
        content = b"".join(_MARKS[o.channel] + o.data.rstrip(b"\n") + b"\n" for o in outputs)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(content)
            for old in self._newest_first(replica.service)[KEPT_FILES:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the log of %s cannot be kept at %s: %s", replica.id, path, error)

    def previous(
        self, service: ServiceId, *, slot: int, but: ReplicaId, query: LogQuery
    ) -> list[Output] | None:
        """The log of the last replica in the slot other than `but`; None when there is none."""
        for path in self._newest_first(service):
            if path.name.startswith(f"{slot}-") and path.name != f"{slot}-{but}.log":
                lines = path.read_bytes().splitlines(keepends=True)
                wanted = lines if query.tail < 0 else lines[len(lines) - query.tail :]
                return [_read(line, timestamps=query.timestamps) for line in wanted]
        return None

    def _of(self, service: ServiceId) -> Path:
        return self._directory / f"{service.project}.{service.name}"

    def _newest_first(self, service: ServiceId) -> list[Path]:
        found = self._of(service).glob("*.log")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _read(line: bytes, *, timestamps: bool) -> Output:
    channel = _CHANNELS.get(line[:4], Channel.STDOUT)
    text = line[4:]
    return Output(channel, text if timestamps else text.partition(b" ")[2])

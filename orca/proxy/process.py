"""Envoy as a process of its own, which outlives orca: found, started, replaced, stopped.

There are two slots. Normally one Envoy lives in one of them; when it has to be replaced (another
version, another number of workers) the new one starts in the other slot, shares the port by
SO_REUSEPORT, and only when it serves does the old one drain and end. This module knows nothing of
routes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orca import errors
from orca.processes import DetachedProcess, write_private
from orca.proxy.admin import SOCKET_PATH_BYTES_MAX, Admin
from orca.proxy.files import translated

_SLOTS: Final = ("a", "b")
_POLL_SECONDS: Final = 0.02
_STOP_GRACE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one Envoy."""

    process: DetachedProcess
    admin: Admin
    bootstrap_file: Path

    def pid(self) -> int | None:
        """The pid of the Envoy in this slot."""
        record = self.process.find()
        return None if record is None else record.pid


class EnvoyProcess:
    """The Envoy of one proxy directory."""

    def __init__(self, directory: Path) -> None:
        self.log_file = directory / "envoy.log"
        self._slots = tuple(self._slot(directory, name) for name in _SLOTS)

    def _slot(self, directory: Path, name: str) -> Slot:
        return Slot(
            DetachedProcess(
                name="Envoy", pid_file=directory / f"envoy-{name}.pid", log_file=self.log_file
            ),
            Admin(_socket_path(directory / f"admin-{name}.sock")),
            directory / f"bootstrap-{name}.json",
        )

    def living(self) -> list[Slot]:
        """The slots in which an Envoy lives; more than one only during a replacement."""
        return [slot for slot in self._slots if slot.process.find() is not None]

    def is_alive(self) -> bool:
        """Whether any Envoy lives; cheap."""
        return any(slot.process.is_alive() for slot in self._slots)

    def free(self) -> Slot:
        """A slot for a new Envoy. Raises `Conflict` if both are taken."""
        for slot in self._slots:
            if slot.process.find() is None:
                return slot
        raise errors.Conflict("Two Envoys of this proxy run already.")

    async def start(
        self, slot: Slot, *, argv: tuple[str, ...], bootstrap: str, seconds_max: float
    ) -> None:
        """Start Envoy in a free slot; returns once its admin interface answers.

        Raises `Failed` with Envoy's last words if it ends, or does not answer in time.
        """
        with translated(slot.bootstrap_file):
            write_private(slot.bootstrap_file, bootstrap.encode())
            slot.admin.socket.unlink(missing_ok=True)
        offset = self.log_size()
        slot.process.spawn((*argv, "-c", str(slot.bootstrap_file)))
        try:
            async with asyncio.timeout(seconds_max):
                await self._answers(slot)
        except TimeoutError as error:
            await slot.process.stop(grace_seconds=0.1)
            raise errors.Failed(
                f"Envoy was started but did not answer within {seconds_max:g} s.",
                hint=self._last_words(offset),
            ) from error
        if not slot.process.is_alive():
            raise errors.Failed("Envoy ended right after its start.", hint=self._last_words(offset))

    async def _answers(self, slot: Slot) -> None:
        while slot.process.is_alive():
            try:
                if await slot.admin.is_ready():
                    return
            except errors.Unavailable:
                pass  # not listening yet
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, slot: Slot, *, drain_seconds: float) -> None:
        """Let clients finish for up to `drain_seconds`, then end the process."""
        if drain_seconds > 0:
            await _drain(slot, drain_seconds)
        await slot.process.stop(grace_seconds=_STOP_GRACE_SECONDS)
        slot.admin.socket.unlink(missing_ok=True)

    def log_size(self) -> int:
        """Where the log ends now."""
        try:
            return self.log_file.stat().st_size
        except FileNotFoundError:
            return 0

    def log_since(self, offset: int) -> tuple[str, ...]:
        """The lines Envoy wrote after `offset`."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(offset if offset <= self.log_size() else 0)
                return tuple(log.read(256 * 1024).decode(errors="replace").splitlines())
        except FileNotFoundError:
            return ()

    def _last_words(self, offset: int) -> str:
        lines = [line for line in self.log_since(offset) if "[critical]" in line] or list(
            self.log_since(offset)
        )
        return f"It said: {lines[0]}" if lines else f"See {self.log_file}."


async def has_clients(slot: Slot) -> bool:
    """Whether anybody is still connected to this Envoy; nobody is if it does not say."""
    try:
        return await slot.admin.connections() > 0
    except errors.Unavailable:
        return False


async def _drain(slot: Slot, seconds_max: float) -> None:
    try:
        async with asyncio.timeout(seconds_max):
            await slot.admin.send_clients_away()
            while await has_clients(slot):  # noqa: ASYNC110  Envoy does not call us
                await asyncio.sleep(0.1)
    except (TimeoutError, errors.Unavailable):
        return  # whoever is left had its time, or Envoy is gone already


def _socket_path(path: Path) -> Path:
    if len(str(path).encode()) > SOCKET_PATH_BYTES_MAX:
        raise errors.UserError(
            f"The path of Envoy's admin socket is too long for the kernel: {path}.",
            hint=f"Choose a --home of which the path is shorter by "
            f"{len(str(path).encode()) - SOCKET_PATH_BYTES_MAX} bytes.",
        )
    return path

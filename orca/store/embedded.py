"""An etcd of orca's own: started, found again, watched over, restarted, ended.

It is a process that outlives orca (see `orca.processes`): after a kill -9 of orca the next one adopts it
by its pid file, on the ports that are written down beside its data. It is one member, never a cluster;
for several masters use an external etcd.

The hard part is a full disk. etcd does not answer it with an error: it exits, and again at every start.
So its death is looked into (free space, last words) and becomes `StoreFull` with a hint.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from orca import errors
from orca.processes import DetachedProcess
from orca.store import etcd_command, etcd_ports
from orca.store.etcd import EtcdStore
from orca.store.etcd_command import EmbeddedSettings, Ports
from orca.store.etcd_settings import EtcdSettings

__all__ = ["EmbeddedEtcd", "EmbeddedSettings"]

STOP_GRACE_SECONDS: Final = 10.0

_POLL_SECONDS: Final = 0.2
_CARE_SECONDS: Final = 10.0
_BACKOFF_SECONDS_MIN: Final = 0.1
_BACKOFF_SECONDS_MAX: Final = 10.0
_PROBE_SECONDS: Final = 1.0
_FIRST_TRIES: Final = 3
"""Ports are chosen freely only while no client was told of any."""
_MEGABYTE: Final = 1024 * 1024
_GRAVE_LEVELS: Final = frozenset({"error", "dpanic", "panic", "fatal"})


class EmbeddedEtcd:
    """The etcd below one directory.

    While `supervise` runs, `problem` is what is wrong, None if nothing is, and `report` is told of
    every change of it. `notices` holds what the user should know although all works.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        *,
        report: Callable[[errors.OrcaError | None], None] = lambda _: None,
        search_path: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.notices: tuple[str, ...] = ()
        self.problem: errors.OrcaError | None = None
        self._report = report
        self._search_path = search_path
        self._jitter = jitter
        self._ports: Ports | None = None
        self._log_begin = 0
        self._process = DetachedProcess(
            name="etcd",
            pid_file=settings.directory / "etcd.pid",
            log_file=settings.directory / "etcd.log",
        )

    @property
    def pid(self) -> int | None:
        """The pid of the running etcd, None if none runs."""
        record = self._process.find()
        return record.pid if record is not None else None

    def client_settings(self) -> EtcdSettings:
        """How to connect to it; valid after `start`."""
        if self._ports is None:
            raise errors.StoreUnavailable("The embedded etcd has not been started.")
        url = f"{self.settings.scheme}://{self.settings.host}:{self._ports.client}"
        return EtcdSettings(endpoints=(url,), tls=self.settings.client_tls)

    def open_store(self) -> EtcdStore:
        """A connection that names the true cause when etcd is down, such as a full disk."""
        return EtcdStore(
            self.client_settings(),
            quota_bytes=self.settings.quota_bytes,
            diagnosis=self._diagnosis,
        )

    async def start(self) -> tuple[str, ...]:
        """Adopt the running etcd or start one; returns its endpoints once it serves.

        Raises StoreFull if the disk is, Conflict if a configured port is taken, UserError if there
        is no etcd to start, StoreUnavailable with its last words if it does not come up.
        """
        is_first = self._ports is None
        for _ in range(_FIRST_TRIES - 1 if is_first else 0):
            try:
                return await self._start()
            except errors.Conflict:
                # A port that was free a moment ago; configured ones are looked at again, and named.
                self._ports = None
        return await self._start()

    async def _start(self) -> tuple[str, ...]:
        if self._process.find() is None:
            self._spawn()
        else:
            self._adopt()
        await self._until_serving()
        return self.client_settings().endpoints

    async def supervise(self) -> None:
        """Restart etcd whenever it dies, and care for its space; never returns."""
        backoff = _BACKOFF_SECONDS_MIN
        while True:
            if await self._lives_on():
                backoff = _BACKOFF_SECONDS_MIN
                self._say(await self._care())
                continue
            self._say(self._cause_of_death())
            while self.problem is not None:
                await self._pause(backoff * (0.5 + self._jitter()))
                backoff = min(backoff * 2, _BACKOFF_SECONDS_MAX)
                self._say(await self._restart())

    async def stop(self) -> bool:
        """End etcd in good order; False if it was not running."""
        return await self._process.stop(grace_seconds=STOP_GRACE_SECONDS)

    def check_disk(self) -> None:
        """Raise StoreFull if the disk has not the space that etcd needs."""
        free = shutil.disk_usage(self.settings.directory).free
        settings = self.settings
        has_data = (settings.directory / "data" / "member").exists()
        needed = settings.disk_free_bytes_min if has_data else settings.disk_free_bytes_first
        if free < needed:
            raise self._full(
                f"{free // _MEGABYTE} MB are free, {needed // _MEGABYTE} MB are needed"
            )

    def _spawn(self) -> None:
        directory = self.settings.directory
        directory.mkdir(parents=True, exist_ok=True)
        for private in (directory, directory / "data"):
            private.mkdir(mode=0o700, exist_ok=True)
            private.chmod(0o700)
        self.check_disk()
        binary = etcd_command.find_binary(search_path=self._search_path)
        self.notices = (binary.notice,) if binary.notice else ()
        self._ports = etcd_ports.choose(self.settings, told=self._ports)
        arguments = etcd_command.arguments(binary, self.settings, self._ports)
        etcd_ports.remember(directory, self._ports, arguments)
        self._process.limit_log()
        self._log_begin = self._process.log_size()
        self._process.spawn(arguments, env=etcd_command.environment(os.environ))

    def _adopt(self) -> None:
        remembered = etcd_ports.remembered(self.settings.directory)
        if remembered is None:
            raise errors.StoreUnavailable(
                f"An etcd of this home runs (pid {self.pid}), but its ports are not known.",
                hint="End that process and start orca again; no data is lost.",
            )
        self._ports = remembered.ports
        self._log_begin = self._process.log_size()
        binary = etcd_command.Binary(remembered.arguments[0])
        wanted = etcd_command.arguments(binary, self.settings, self._ports)
        if wanted != remembered.arguments:
            self.notices = (
                "etcd runs on with earlier settings; the new ones take effect after "
                "`orca shutdown` and a new start.",
            )

    async def _until_serving(self) -> None:
        settings = replace(self.client_settings(), timeout_seconds=_PROBE_SECONDS)
        try:
            async with (
                asyncio.timeout(self.settings.start_timeout_seconds),
                EtcdStore(settings) as store,
            ):
                while not await self._serves(store):
                    if not self._process.is_alive():
                        raise self._cause_of_death()
        except TimeoutError as error:
            raise errors.StoreUnavailable(
                f"etcd (pid {self.pid}) does not answer after "
                f"{self.settings.start_timeout_seconds} s{self._last_words()}.",
                hint=f"See {self._process.log_file}.",
            ) from error

    async def _serves(self, store: EtcdStore) -> bool:
        try:
            return bool((await store.status()).leader)
        except errors.StoreUnavailable:
            return False

    async def _lives_on(self) -> bool:
        """True after some seconds of life, False as soon as it is dead."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _CARE_SECONDS * (0.75 + self._jitter() / 2)
        while self._process.is_alive():
            if loop.time() >= until:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until a full disk has space again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        was_full = self._is_full()
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, _POLL_SECONDS))
            if was_full and not self._is_full():
                return

    def _is_full(self) -> bool:
        try:
            self.check_disk()
        except errors.StoreFull:
            return True
        return False

    def _diagnosis(self) -> errors.Unavailable | None:
        return self.problem if isinstance(self.problem, errors.Unavailable) else None

    async def _care(self) -> errors.OrcaError | None:
        self._process.limit_log()
        try:
            self.check_disk()
            async with EtcdStore(self.client_settings()) as store:
                if "NOSPACE" in (await store.status()).alarms:
                    # Old revisions may be all that fills it; if not, the next write says so again.
                    await store.reclaim()
        except errors.Unavailable as problem:
            return problem
        return None

    async def _restart(self) -> errors.OrcaError | None:
        try:
            await self.start()
        except errors.OrcaError as problem:
            return problem
        return None

    def _say(self, problem: errors.OrcaError | None) -> None:
        before, self.problem = self.problem, problem
        if str(before) != str(problem):
            self._report(problem)

    def _cause_of_death(self) -> errors.OrcaError:
        words = self._last_words()
        if "no space left on device" in words:
            return self._full("it says so itself")
        try:
            self.check_disk()
        except errors.StoreFull as full:
            return full
        if "address already in use" in words:
            return errors.Conflict(f"A port of etcd was taken while it started{words}.")
        return errors.StoreUnavailable(
            f"etcd has ended{words}.", hint=f"See {self._process.log_file}."
        )

    def _full(self, how_known: str) -> errors.StoreFull:
        return errors.StoreFull(
            f"The disk of etcd's data in {self.settings.directory} is full: {how_known}.",
            hint="Free some space there; etcd then starts again by itself and nothing is lost.",
        )

    def _last_words(self) -> str:
        lines = self._process.log_tail(lines=50, since_bytes=self._log_begin)
        grave = [words for line in lines if (words := _grave_words(line))]
        return f": {grave[-1]}" if grave else ""


def _grave_words(line: str) -> str:
    """What a line of etcd's log says if it is an error; etcd 3.4 also writes panics as plain text."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line if line.startswith("panic:") or "no space left on device" in line else ""
    if not isinstance(entry, dict) or entry.get("level") not in _GRAVE_LEVELS:
        return ""
    said = (str(entry.get(part, "")) for part in ("msg", "error"))
    return ": ".join(filter(None, said))

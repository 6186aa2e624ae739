"""The real Envoy behind the port: configuration, files and process put together.

`apply` is level-triggered: whatever state it finds (no Envoy, an Envoy of an earlier orca, one with
other settings, files half written) it ends with one Envoy serving the table.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from typing import Final

from orca import errors, processes
from orca.model.ids import ServiceId
from orca.model.route import RouteTable
from orca.proxy import rollin, watches
from orca.proxy.binary import find_binary
from orca.proxy.envoy_config.bootstrap import Bootstrap, bootstrap
from orca.proxy.envoy_config.build import Paths, build
from orca.proxy.envoy_config.resources import EnvoyConfig
from orca.proxy.files import ConfigFiles, translated
from orca.proxy.handover import waiting_connections_move
from orca.proxy.installer import Installer, Refusal
from orca.proxy.ports import EndpointKey
from orca.proxy.process import EnvoyProcess, Slot, has_clients
from orca.proxy.settings import ProxySettings

_ACCESS_LOG_BYTES_MAX: Final = 64 * 1024 * 1024
_GREETING_SECONDS_MAX: Final = 3.0
_PORT_SECONDS_MAX: Final = 0.5
_CLOSING_SECONDS: Final = 0.1
"""Envoy's workers close their sockets a moment after the answer to the order."""


class EnvoyServer:
    """Implements `ports.Envoy`."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._files = ConfigFiles(settings.directory)
        self._process = EnvoyProcess(self._files.directory)
        self._installer = Installer(self._files, self._process)
        self._slot: Slot | None = None
        self._fingerprint = ""
        self._leaving: list[tuple[Slot, float]] = []
        """Replaced Envoys, and when they have to be gone."""
        self._lock = asyncio.Lock()

    def configure(self, settings: ProxySettings) -> None:
        self._settings = settings

    def is_alive(self) -> bool:
        if self._slot is not None:
            return self._slot.process.is_alive()
        return self._process.is_alive()

    def pid(self) -> int | None:
        """The pid of the Envoy that serves."""
        return self._slot.pid() if self._slot is not None else None

    async def apply(self, table: RouteTable) -> None:
        async with self._lock:
            self._files.prepare()
            config = build(table, self._settings, self._paths())
            watches.ensure_room(services=len(config.clusters), running=self.pid())
            await self._serve(config)

    async def active_requests(self, services: Collection[ServiceId]) -> Mapping[EndpointKey, int]:
        if self._slot is None:
            raise errors.Unavailable("Envoy has not been started yet.")
        return await self._slot.admin.active_requests(services)

    async def maintain(self) -> None:
        if self._slot is None:
            return
        async with self._lock:
            await self._end_leavers()
        self._slot.process.limit_log()
        log = self._files.access_log
        with translated(log), contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > _ACCESS_LOG_BYTES_MAX:
                log.replace(log.with_name(log.name + ".1"))
                await self._slot.admin.reopen_logs()

    async def stop(self, *, drain_seconds: float) -> bool:
        async with self._lock:
            living = self._process.living()
            for slot in living:
                await self._process.stop(slot, drain_seconds=drain_seconds)
            self._slot = None
            self._leaving.clear()
            return bool(living)

    # --- which Envoy ---

    async def _serve(self, config: EnvoyConfig) -> None:
        slot = await self._present()
        wanted = self._bootstrap(None)
        if slot is None or self._fingerprint != wanted.fingerprint:
            slot = await self._begin(config, instead_of=slot)
        else:
            await self._check_port(serving=rollin.port_in(self._files.read(self._files.listeners)))
        refusals = await self._install(slot, config)
        if refusals:
            raise _rejected(refusals)

    async def _present(self) -> Slot | None:
        """The Envoy that serves now, adopted if it is of an earlier orca; extra ones are ended."""
        if self._slot is not None and self._slot.process.is_alive():
            return self._slot
        self._slot = None
        self._installer.forget()
        living = [(slot, await self._greet(slot)) for slot in self._process.living()]
        wanted = self._bootstrap(None).fingerprint
        living.sort(key=lambda found: found[1] != wanted)
        for slot, _ in living[1:]:
            await self._dismiss(slot)
        if living:
            self._slot, self._fingerprint = living[0]
        return self._slot

    async def _greet(self, slot: Slot) -> str:
        """Its fingerprint; empty, hence to be replaced, if it does not answer."""
        try:
            async with asyncio.timeout(_GREETING_SECONDS_MAX):
                while slot.process.is_alive():
                    with contextlib.suppress(errors.Unavailable):
                        return await slot.admin.fingerprint()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pass
        return ""

    async def _begin(self, config: EnvoyConfig, *, instead_of: Slot | None) -> Slot:
        """Start an Envoy; only when it serves, end the one before it."""
        before = self._files.read(self._files.listeners)
        await self._check_port(serving=rollin.port_in(before) if instead_of else None)
        self._installer.forget()
        self._installer.write_all(rollin.stages(config, present={}))
        await self._end_leavers(at_once=True)  # it takes the slot that is needed now
        slot = self._process.free()
        start = self._bootstrap(slot)
        await self._process.start(
            slot,
            argv=(str(find_binary().path), *start.arguments),
            bootstrap=start.text,
            seconds_max=self._settings.apply_seconds_max,
        )
        self._slot, self._fingerprint = slot, start.fingerprint
        if instead_of is not None:
            await self._dismiss(instead_of)
        return slot

    async def _dismiss(self, slot: Slot) -> None:
        """Send an Envoy's clients away; `maintain` ends it when they have gone."""
        deadline = asyncio.get_running_loop().time() + self._settings.drain_seconds
        self._leaving.append((slot, deadline))
        with waiting_connections_move(), contextlib.suppress(errors.Unavailable):
            await slot.admin.send_clients_away()
            await asyncio.sleep(_CLOSING_SECONDS)

    async def _end_leavers(self, *, at_once: bool = False) -> None:
        now = asyncio.get_running_loop().time()
        for slot, deadline in tuple(self._leaving):
            if at_once or now >= deadline or not await has_clients(slot):
                await self._process.stop(slot, drain_seconds=0)
                self._leaving.remove((slot, deadline))

    def _bootstrap(self, slot: Slot | None) -> Bootstrap:
        """What Envoy has to be started with, in a slot or, for its fingerprint, in any."""
        return bootstrap(
            self._settings,
            listeners_path=str(self._files.listeners),
            clusters_path=str(self._files.clusters),
            admin_path=str(slot.admin.socket) if slot else "",
            program=find_binary().identity,
        )

    async def _check_port(self, *, serving: tuple[str, int] | None) -> None:
        """Raise `Conflict` if a stranger holds the port; `serving` is what Envoy itself holds."""
        wanted = (self._settings.bind, self._settings.http_port)
        if serving == wanted:
            return
        # The kernel closes the port of an Envoy that was killed a little after it is gone.
        give_up_at = asyncio.get_running_loop().time() + _PORT_SECONDS_MAX
        while holder := processes.listener_of(wanted[1], wanted[0]):
            if asyncio.get_running_loop().time() >= give_up_at:
                raise errors.Conflict(
                    f"Port {wanted[1]}, where the proxy has to listen, is in use by {holder}.",
                    hint="Stop it, or set another `http_port` under `[proxy]` in cluster.toml.",
                )
            await asyncio.sleep(0.05)

    # --- what it serves ---

    async def _install(self, slot: Slot, config: EnvoyConfig) -> tuple[Refusal, ...]:
        present = rollin.clusters_in(self._files.read(self._files.clusters))
        steps = rollin.stages(config, present=present)
        seconds_max = self._settings.apply_seconds_max
        refusals: tuple[Refusal, ...] = ()
        for stage in (steps.growth, steps.switch):
            refusals += await self._installer.install(slot, stage, seconds_max=seconds_max)
        if refusals:
            return refusals  # what was refused may still need what would be removed now
        refusals = await self._installer.install(slot, steps.removal, seconds_max=seconds_max)
        keep = frozenset(config.clusters)
        self._files.remove_other_endpoints(keep)
        self._installer.forget_endpoints(keep)
        return refusals

    def _paths(self) -> Paths:
        return Paths(
            routes=str(self._files.routes),
            endpoints_directory=str(self._files.endpoints_directory),
            access_log=str(self._files.access_log),
        )


def _rejected(refusals: tuple[Refusal, ...]) -> errors.ProxyConfigRejected:
    parts = ", ".join(refusal.part.label for refusal in refusals)
    reasons = "; ".join(dict.fromkeys(refusal.reason.rstrip(".") for refusal in refusals))
    return errors.ProxyConfigRejected(
        f"Envoy refused {parts}: {reasons}.",
        hint="The last good version of what was refused keeps serving; everything else is in force.",
    )

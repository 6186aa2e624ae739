"""Handing parts of a configuration to a running Envoy and finding out what it made of them.

The hard part is that files have no answer. Envoy shows the version it last accepted of each part and
counts what it refused; a part is settled when either moves. The reason of a refusal is only in its
log. A refused file is replaced by the last good one at once, so that an Envoy that restarts does not
read what it refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from orca import errors
from orca.proxy.files import ConfigFiles
from orca.proxy.process import EnvoyProcess, Slot
from orca.proxy.rollin import CLUSTERS, LISTENERS, ROUTES, Part, Stage, Stages

_POLL_SECONDS: Final = 0.002
_POLL_SECONDS_MAX: Final = 0.05
_REFUSED: Final = "config update rejected: "


class Refusal(NamedTuple):
    """A part that Envoy did not take."""

    part: Part
    reason: str


class Installer:
    """Remembers what is in force, so that only what changed is written and asked for."""

    def __init__(self, files: ConfigFiles, process: EnvoyProcess) -> None:
        self._files = files
        self._process = process
        self._in_force: dict[Part, str] = {}
        self._last_good: dict[Part, str] = {}

    def forget(self) -> None:
        """Nothing is known of the Envoy that runs now: ask it about every part."""
        self._in_force.clear()

    def path(self, part: Part) -> Path:
        """Where a part is written."""
        fixed = {
            LISTENERS: self._files.listeners,
            CLUSTERS: self._files.clusters,
            ROUTES: self._files.routes,
        }
        return fixed.get(part) or self._files.endpoints(part.cluster)

    def write_all(self, stages: Stages) -> None:
        """Write every part for an Envoy that is about to start, keeping what was there in mind."""
        for stage in (stages.growth, stages.switch):
            self._write(stage, pending={})

    async def install(self, slot: Slot, stage: Stage, *, seconds_max: float) -> tuple[Refusal, ...]:
        """Make Envoy take a stage; the parts it refused. Raises `Unavailable` after `seconds_max`."""
        todo = {p: d for p, d in stage.items() if self._in_force.get(p) != d.version}
        if not todo:
            return ()
        before = await slot.admin.configuration_statistics([p.statistics for p in todo])
        offset = self._process.log_size()
        pending = {p: d for p, d in todo.items() if _version(before, p) != d.version}
        self._write(todo, pending=pending)
        try:
            async with asyncio.timeout(seconds_max):
                refused = await self._settled(slot, pending, before)
        except TimeoutError as error:
            raise self._unsettled(pending, seconds_max) from error
        for part in todo.keys() - refused:
            self._in_force[part] = todo[part].version
            self._last_good[part] = todo[part].text
        return tuple(self._take_back(sorted(refused), offset))

    def forget_endpoints(self, keep: frozenset[str]) -> None:
        """Drop what is known of clusters that are no more."""
        for known in (self._in_force, self._last_good):
            for part in [p for p in known if p.cluster and p.cluster not in keep]:
                del known[part]

    def _write(self, todo: Stage, *, pending: Stage) -> None:
        for part, document in todo.items():
            present = self._files.read(self.path(part))
            if present is not None:
                self._last_good.setdefault(part, present)
            # A pending part is renamed anew even if it is there already: Envoy has not taken it.
            if part in pending or present != document.text:
                self._files.write(self.path(part), document.text)

    async def _settled(self, slot: Slot, pending: Stage, before: Mapping[str, str]) -> set[Part]:
        """Wait until each part was taken or refused; those that were refused."""
        waiting, refused, pause = set(pending), set[Part](), _POLL_SECONDS
        while waiting:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _POLL_SECONDS_MAX)
            now = await slot.admin.configuration_statistics([p.statistics for p in waiting])
            refused |= {p for p in waiting if _refusals(now, p) > _refusals(before, p)}
            if CLUSTERS in refused:
                # Without its cluster, nobody will ever read these endpoints.
                refused |= {p for p in waiting if p.cluster and _version(now, p) is None}
            taken = {p for p in waiting if _version(now, p) == pending[p].version}
            waiting -= refused | taken
        return refused

    def _take_back(self, refused: Iterable[Part], offset: int) -> Iterable[Refusal]:
        reason = "; ".join(_reasons(self._process.log_since(offset)))
        for part in refused:
            good = self._last_good.get(part)
            if good is not None:
                self._files.write(self.path(part), good)
            self._in_force.pop(part, None)
            yield Refusal(part, reason)

    def _unsettled(self, pending: Iterable[Part], seconds_max: float) -> errors.Unavailable:
        labels = ", ".join(part.label for part in sorted(pending)[:3])
        return errors.Unavailable(
            f"Envoy has not answered to a change of {labels} for {seconds_max:g} s.",
            hint=f"orca tries again by itself; see {self._process.log_file}.",
        )


def _version(statistics: Mapping[str, str], part: Part) -> str | None:
    return statistics.get(f"{part.statistics}.version_text")


def _refusals(statistics: Mapping[str, str], part: Part) -> int:
    names = (f"{part.statistics}.update_rejected", f"{part.statistics}.update_failure")
    return sum(int(statistics.get(name, "0")) for name in names)


def _reasons(lines: Iterable[str]) -> list[str]:
    found = [line.partition(_REFUSED)[2] for line in lines if _REFUSED in line]
    return list(dict.fromkeys(found)) or ["it gave no reason"]

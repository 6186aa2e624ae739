"""Results that no single API body holds, for `-o json`. Adding a field is compatible; renaming is not."""

from __future__ import annotations

from pydantic import Field

from orca.client.schema import Accepted, Body, ClusterInfo, RolloutView


class Outcome(Body):
    """What a command that changes services has done."""

    accepted: tuple[Accepted, ...] = ()
    unchanged: tuple[str, ...] = ()
    rollouts: tuple[RolloutView, ...] = Field(default=(), description="As they ended")
    urls: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="By service")

    @property
    def failed(self) -> tuple[RolloutView, ...]:
        """Rollouts that ended badly."""
        return tuple(view for view in self.rollouts if view.phase == "failed")


class Checked(Body):
    """What `config check` found."""

    root: str
    ok: bool
    services: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    unsupported: tuple[str, ...]


class Versions(Body):
    """Versions of both ends; `server` is null when none answers."""

    client: str
    python: str
    server: ClusterInfo | None = None

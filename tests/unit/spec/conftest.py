"""Configuration trees on disk, from text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orca.spec.load import Loaded, load

Configure = Callable[..., Loaded]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write `services/<project>/service.toml` for each keyword, `cluster.toml`, and load them."""

    def write(*, cluster: str | None = None, **projects: str) -> Loaded:
        for project, text in projects.items():
            directory = tmp_path / "services" / project
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "service.toml").write_text(text)
        if cluster is not None:
            (tmp_path / "cluster.toml").write_text(cluster)
        return load(tmp_path)

    return write


@pytest.fixture
def breakpilot() -> Path:
    """The configuration of the devops guide: cluster.toml and Keycloak with its database."""
    return Path(__file__).parent / "fixtures" / "breakpilot"

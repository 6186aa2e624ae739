"""Finding the configuration root: upwards from where the user stands, as git does it."""

from __future__ import annotations

from pathlib import Path

from orca import errors

CLUSTER_FILE = "cluster.toml"
SERVICES_DIRECTORY = "services"
SERVICE_FILE = "service.toml"

_HINT = "run orca inside the configuration directory, or name it with -C DIR or ORCA_CONFIG_DIR"


def find_root(start: Path, *, explicit: Path | None) -> Path:
    """The absolute configuration root: `explicit`, or the nearest one at or above `start`.

    A root holds `cluster.toml` or a directory `services/`. Raises `errors.UserError` when `explicit` is
    not a directory, or when there is no root up to `/`.
    """
    if explicit is not None:
        chosen = (start / explicit).resolve()
        if not chosen.is_dir():
            problem = "is not a directory" if chosen.exists() else "does not exist"
            raise errors.UserError(f"configuration directory {chosen} {problem}", hint=_HINT)
        return chosen
    here = start.resolve()
    for directory in (here, *here.parents):
        if (directory / CLUSTER_FILE).is_file() or (directory / SERVICES_DIRECTORY).is_dir():
            return directory
    raise errors.UserError(
        f"no configuration found: neither {CLUSTER_FILE} nor {SERVICES_DIRECTORY}/ in {here} or above it",
        hint=_HINT,
    )

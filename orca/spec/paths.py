"""Relative paths of files → absolute ones, and whether they are there.

A path never depends on the directory that orca was started in: `./services/…` is under the
configuration root, any other relative path is beside the file that names it. Absolute paths are the
node's business and are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orca.spec import references
from orca.spec.cluster_sections import Store
from orca.spec.discover import SERVICES_DIRECTORY
from orca.spec.fault import Fault
from orca.spec.storage import Mount


def mounts(
    written: Sequence[Mount], *, root: Path, directory: Path
) -> tuple[tuple[Mount, ...], list[Fault]]:
    """`written` with absolute sources, and a fault for every source that is not there."""
    resolved: list[Mount] = []
    faults: list[Fault] = []
    for index, mount in enumerate(written):
        if mount.source.startswith("/") or references.refers(mount.source):
            resolved.append(mount)
            continue
        path = _resolved(mount.source, root=root, directory=directory)
        resolved.append(mount.model_copy(update={"source": str(path)}))
        if not path.exists():
            faults.append(
                Fault(
                    path=("mounts", index, "source"),
                    message=f"there is no file or directory {path}",
                    hint=_hint(mount.source, root),
                )
            )
    return tuple(resolved), faults


def _resolved(source: str, *, root: Path, directory: Path) -> Path:
    from_root = source.startswith(f"./{SERVICES_DIRECTORY}/")
    return ((root if from_root else directory) / source).resolve()


def _hint(source: str, root: Path) -> str:
    if not source.startswith(".") and (root / source).exists():
        return f'write "./{source}" for a path from the configuration root'
    if "/" not in source and not source.startswith("."):
        return "write [[service.volumes]] for a named volume"
    return ""


def store_files(store: Store, *, root: Path) -> tuple[Store, list[Fault]]:
    """`store` with absolute certificate files, and a fault for each that is not there."""
    update: dict[str, str] = {}
    faults: list[Fault] = []
    for key in ("ca_file", "cert_file", "key_file"):
        written = getattr(store, key)
        if written is None or references.refers(written):
            continue
        path = (root / written).resolve()
        update[key] = str(path)
        if not path.is_file():
            faults.append(Fault(path=("store", key), message=f"there is no file {path}"))
    return store.model_copy(update=update), faults

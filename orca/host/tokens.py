"""API tokens from cluster.toml: hashes as they stand, or hashes of secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from orca.errors import MissingSecret
from orca.master.control import Role
from orca.secrets import resolve
from orca.spec.cluster import ClusterSpec
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

ROLES = {"viewer": Role.VIEWER, "deployer": Role.DEPLOYER, "admin": Role.ADMIN}
HASH_PREFIX = "sha256:"


def configured(
    cluster: ClusterSpec, lookup: Callable[[], resolve.Lookup]
) -> tuple[tuple[str, str, Role], ...]:
    """Name, SHA-256 in hex and role of each usable token.

    One whose secret has no value yet gives nobody access; it is logged, and works after the next reload.
    """
    found = []
    for token in cluster.token:
        try:
            digest = _digest(token.value, lookup)
        except MissingSecret as error:
            log.warning("token without a value", token=token.name, why=error.message)
            continue
        found.append((token.name, digest, ROLES[token.role]))
    return tuple(found)


def _digest(value: str, lookup: Callable[[], resolve.Lookup]) -> str:
    if value.startswith(HASH_PREFIX):
        return value.removeprefix(HASH_PREFIX)
    secret = resolve.resolve(value, lookup(), place="[[token]] value")
    return hashlib.sha256(secret.encode()).hexdigest()

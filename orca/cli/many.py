"""One change to several services: nothing is changed unless all of them exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orca import errors

if TYPE_CHECKING:
    from orca.client.http import OrcaClient


def either(services: Sequence[str] | None, every: bool, *, example: str) -> None:
    """Refuse both names and `--all`, and neither. Raises `errors.UserError`."""
    if bool(services) == every:
        raise errors.UserError("Say either which services, or --all.", hint=f"Like `{example}`.")


async def require(client: OrcaClient, services: Iterable[str]) -> None:
    """Raises `errors.NotFound` for the first service that does not exist."""
    for service in services:
        await client.status(service=service)

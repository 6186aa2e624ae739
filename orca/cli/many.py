"""One change to several services: nothing is changed unless all of them exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from orca import errors
from orca.client.schema import Accepted, DeployResponse

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


async def change(
    client: OrcaClient,
    services: Sequence[str] | None,
    one: Callable[[str], Awaitable[DeployResponse]],
) -> DeployResponse:
    """Do `one` to each service; the answers as one."""
    names = tuple(dict.fromkeys(services or ()))
    await require(client, names)
    deployed: list[Accepted] = []
    unchanged: list[str] = []
    for name in names:
        done = await one(name)
        deployed += done.deployed
        unchanged += done.unchanged
    return DeployResponse(deployed=tuple(deployed), unchanged=tuple(unchanged))

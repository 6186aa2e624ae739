"""What a person means by a name. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from orca.errors import NotFound, UserError
from orca.model.ids import ReplicaId, ServiceId
from orca.model.replica import Replica, ReplicaStatus

ID_CHARACTERS_MIN = 4
"""So much of a replica's id has to be written at least."""


def find_service(known: Collection[ServiceId], name: str) -> ServiceId:
    """The service that `name` or `project/name` means.

    Raises `NotFound` with a suggestion, or `UserError` when a bare name has several owners.
    """
    matches = [id for id in known if name in (id.name, str(id))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = ", ".join(sorted(str(id) for id in matches))
        raise UserError(f"{name!r} names several services", hint=f"write one of {several}")
    names = {id.name for id in known} | {str(id) for id in known}
    close = difflib.get_close_matches(name, sorted(names), n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`orca status` lists the services"
    raise NotFound(f"there is no service {name!r}", hint=hint)


def find_project(known: Collection[ServiceId], project: str) -> str:
    """The project, if it has a service. Raises `NotFound` with a suggestion."""
    projects = sorted({id.project for id in known})
    if project in projects:
        return project
    close = difflib.get_close_matches(project, projects, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "`orca status` lists the projects"
    raise NotFound(f"there is no project {project!r}", hint=hint)


def find_replica(
    replicas: Collection[Replica], statuses: Mapping[ReplicaId, ReplicaStatus], name: str
) -> Replica:
    """One of a service's replicas by slot, container name or the first characters of its id.

    Raises `NotFound`, or `UserError` when an id is cut so short that several begin with it.
    """

    def is_named(replica: Replica) -> bool:
        status = statuses.get(replica.id)
        return name in (str(replica.slot), status.container_name if status else "")

    if named := [replica for replica in replicas if is_named(replica)]:
        return max(named, key=lambda r: r.created_at)
    # Shorter, and a slot that does not exist would mean whichever replica's id begins with it.
    whole = len(name) >= ID_CHARACTERS_MIN
    matches = [replica for replica in replicas if whole and replica.id.startswith(name)]
    if len(matches) > 1:
        several = ", ".join(sorted(r.id for r in matches))
        raise UserError(f"{name!r} begins several replicas", hint=f"write one of {several}")
    if not matches:
        slots = ", ".join(str(slot) for slot in sorted({r.slot for r in replicas})) or "none"
        raise NotFound(f"there is no replica {name!r}", hint=f"slots that exist: {slots}")
    return matches[0]

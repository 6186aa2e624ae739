"""What a person means by a name. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from orca.errors import NotFound, UserError
from orca.model.ids import ReplicaId, ServiceId
from orca.model.replica import Replica, ReplicaStatus


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
    """One of a service's replicas by slot, id prefix or container name. Raises `NotFound`."""

    def is_meant(replica: Replica) -> bool:
        status = statuses.get(replica.id)
        container = status.container_name if status else ""
        return name in (str(replica.slot), container) or replica.id.startswith(name)

    matches = [replica for replica in replicas if is_meant(replica)]
    if not matches:
        slots = ", ".join(str(r.slot) for r in replicas) or "none"
        raise NotFound(f"there is no replica {name!r}", hint=f"slots that exist: {slots}")
    return max(matches, key=lambda r: r.created_at)

"""How a replica appears on the host: names and labels of containers, networks, volumes. Pure.

Labels are read back: adoption and the removal of orphans work from them alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from orca.model.container import ContainerSpec
from orca.model.ids import NodeId, ReplicaId
from orca.model.replica import Replica
from orca.rpc.messages import Assignment

CLUSTER = "orca.cluster"
NODE = "orca.node"
PROJECT = "orca.project"
SERVICE = "orca.service"
REPLICA = "orca.replica"
REVISION = "orca.revision"
SPEC = "orca.spec"
SLOT = "orca.slot"
GENERATION = "orca.generation"
EPOCH = "orca.epoch"

_HOSTLESS = ("host", "none")


def ours(*, cluster: str, node: NodeId) -> dict[str, str]:
    """Labels of everything this node may touch."""
    return {CLUSTER: cluster, NODE: str(node)}


def labels(assignment: Assignment, *, cluster: str, node: NodeId) -> dict[str, str]:
    """Labels of a replica's container; the user's own cannot replace orca's."""
    replica = assignment.replica
    return {
        **assignment.container.labels,
        **ours(cluster=cluster, node=node),
        PROJECT: replica.service.project,
        SERVICE: replica.service.name,
        REPLICA: replica.id,
        REVISION: str(replica.revision),
        SPEC: assignment.spec_hash,
        SLOT: str(replica.slot),
        GENERATION: str(replica.generation),
        EPOCH: str(replica.epoch),
    }


def replica_of(found: Mapping[str, str]) -> ReplicaId:
    """The replica a container's labels name; empty when they name none."""
    return ReplicaId(found.get(REPLICA, ""))


def newcomer(replica: Replica) -> str:
    """A name nobody else has, for a replica whose slot's name is not free yet."""
    return f"orca-{replica.service.name}-{replica.slot}-r{replica.revision}-{replica.id[-6:]}"


def settled(replica: Replica) -> tuple[str, ...]:
    """Names of the slot, the best first; the second serves when another project holds the first."""
    suffix = f"-{replica.slot}" if replica.slot else ""
    short = f"orca-{replica.service.name}{suffix}"
    return short, f"orca-{replica.service.project}-{replica.service.name}{suffix}"


def same_slot(replica: Replica, holder: Mapping[str, str], *, cluster: str) -> bool:
    """Whether a container that holds a name is of the same service and slot: it will be gone soon."""
    mine = {
        CLUSTER: cluster,
        PROJECT: replica.service.project,
        SERVICE: replica.service.name,
    }
    return all(holder.get(key) == value for key, value in mine.items())


def project_network(project: str) -> str:
    """Network shared by the services of a project."""
    return f"orca-{project}"


def network(project: str, spec: ContainerSpec) -> str:
    """The network a replica joins."""
    return spec.network or project_network(project)


def owner(*, cluster: str, project: str) -> dict[str, str]:
    """Labels of what the replicas of a project share."""
    return {CLUSTER: cluster, PROJECT: project}


def aliases(assignment: Assignment) -> tuple[str, ...]:
    """Names by which the other containers of its network reach a replica."""
    replica, spec = assignment.replica, assignment.container
    if network(replica.service.project, spec) in _HOSTLESS:
        return ()
    return tuple(dict.fromkeys((replica.service.name, *spec.aliases)))


def volume(project: str, name: str) -> str:
    """Docker's name of a service's volume, in docker compose's way: `<project>_<name>`."""
    return f"{project}_{name}"

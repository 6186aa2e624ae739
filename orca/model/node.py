"""Nodes: hosts running the node agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orca.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node says of itself when it connects."""

    hostname: str = ""
    version: str = ""
    docker_version: str = ""
    docker_error: str = ""
    """Why Docker does not answer; empty while it does."""
    cpus: float = 0.0
    memory_bytes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A member of the cluster, as the leader keeps it."""

    id: NodeId
    name: str
    facts: NodeFacts = field(default_factory=NodeFacts)
    draining: bool = False
    joined_at: float = 0.0

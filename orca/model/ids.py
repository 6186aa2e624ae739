"""The names of things. Each id has its own type, so that one cannot be passed for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

NodeId = NewType("NodeId", str)
ReplicaId = NewType("ReplicaId", str)
ProxyId = NewType("ProxyId", str)
CommandId = NewType("CommandId", str)

Epoch = NewType("Epoch", int)
"""The etcd create revision of the leader key: grows with every change of leadership."""

RevisionNumber = NewType("RevisionNumber", int)
"""Counts the revisions of one service from 1."""

NO_REVISION = RevisionNumber(0)
"""Stands where a service has no such revision yet."""


@dataclass(frozen=True, slots=True, order=True)
class ServiceId:
    """A service within its project; written `project/service`."""

    project: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ServiceId:
        """Read `project/service`; raises `ValueError` for anything else."""
        project, slash, name = text.partition("/")
        if not (project and slash and name) or "/" in name:
            raise ValueError(f"{text!r} is not of the form project/service")
        return cls(project, name)

"""Where everything lies in the store: the only place that knows the spelling of a key.

All keys of a cluster lie under `/orca/<cluster>/`. Numbers are padded so that key order is their
order. Prefixes end in `/`, so that one project is never a prefix of another. Names come validated
from the spec; a part that could leave its place in the tree is refused here all the same.
"""

from __future__ import annotations

from typing import Final

from orca import errors

ROOT: Final = "/orca"

REVISION_DIGITS: Final = 8
HISTORY_DIGITS: Final = 12
EVENT_DIGITS: Final = 16


def _part(text: str) -> str:
    if not text or "/" in text or "\0" in text:
        raise errors.UserError(f"{text!r} cannot be part of a key.")
    return text


def last_part(key: str) -> str:
    """The last part of a key: a name, an id, or a padded number."""
    return key.rpartition("/")[2]


def number_of(key: str) -> int:
    """The number that a revision's, deployment's or event's key ends in."""
    return int(last_part(key))


class Keys:
    """The keys of one cluster."""

    def __init__(self, cluster: str) -> None:
        self.root = f"{ROOT}/{_part(cluster)}/"

    def _join(self, *parts: str) -> str:
        return self.root + "/".join(_part(part) for part in parts)

    def _prefix(self, *parts: str) -> str:
        return self._join(*parts) + "/"

    def leader(self) -> str:
        """Held under a lease by the leader; its create revision is the epoch."""
        return self._join("leader")

    def schema_version(self) -> str:
        """The version of the layout below, checked before anything else is read."""
        return self._join("meta", "schema")

    def meta(self, name: str) -> str:
        """Facts about the cluster as a whole: its id, its CA, its configuration."""
        return self._join("meta", name)

    def services(self) -> str:
        return self._prefix("services")

    def project(self, project: str) -> str:
        """The prefix of a project's services."""
        return self._prefix("services", project)

    def service(self, project: str, service: str) -> str:
        return self._join("services", project, service)

    def all_revisions(self) -> str:
        return self._prefix("revisions")

    def revisions(self, project: str, service: str) -> str:
        return self._prefix("revisions", project, service)

    def revision(self, project: str, service: str, number: int) -> str:
        return self._join("revisions", project, service, f"{number:0{REVISION_DIGITS}d}")

    def replicas(self) -> str:
        return self._prefix("replicas")

    def replica(self, replica: str) -> str:
        return self._join("replicas", replica)

    def nodes(self) -> str:
        return self._prefix("nodes")

    def node(self, node: str) -> str:
        return self._join("nodes", node)

    def secrets(self) -> str:
        return self._prefix("secrets")

    def cluster_secrets(self) -> str:
        return self._prefix("secrets", "cluster")

    def cluster_secret(self, name: str) -> str:
        return self._join("secrets", "cluster", name)

    def project_secrets(self, project: str) -> str:
        return self._prefix("secrets", "project", project)

    def project_secret(self, project: str, name: str) -> str:
        return self._join("secrets", "project", project, name)

    def all_deployments(self) -> str:
        return self._prefix("deployments")

    def deployments(self, project: str, service: str) -> str:
        """The prefix of a service's history."""
        return self._prefix("deployments", project, service)

    def deployment(self, project: str, service: str, sequence: int) -> str:
        return self._join("deployments", project, service, f"{sequence:0{HISTORY_DIGITS}d}")

    def events(self) -> str:
        return self._prefix("events")

    def event(self, sequence: int) -> str:
        return self._join("events", f"{sequence:0{EVENT_DIGITS}d}")

    def tokens(self) -> str:
        return self._prefix("tokens")

    def token(self, name: str) -> str:
        return self._join("tokens", name)

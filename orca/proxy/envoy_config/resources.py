"""Envoy's JSON as values: resources, the documents that carry them, and their versions.

A document's version is the hash of its content. Envoy repeats the version of what it accepted, so
equality tells that a file was taken, and equal content never needs a new file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import msgspec

Json = dict[str, Any]

_TYPE: Final = "type.googleapis.com/"


def typed(kind: str, **fields: Any) -> Json:
    """An `Any`: the message `kind` (such as `envoy.config.cluster.v3.Cluster`) with its fields."""
    return {"@type": _TYPE + kind, **fields}


def watched(path: str) -> Json:
    """A config source: this file, read again whenever another file is renamed onto it.

    No `watched_directory`: with it every rename in the directory would reload every file there.
    """
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


@dataclass(frozen=True, slots=True)
class Document:
    """A DiscoveryResponse: what one watched file holds."""

    version: str
    text: str
    names: frozenset[str] = field(default_factory=frozenset)
    """The resources inside, by name."""

    @classmethod
    def of(cls, resources: Sequence[Json], *, names: Sequence[str]) -> Document:
        """Wrap resources; `names` are theirs, in order."""
        body = msgspec.json.encode(resources, order="sorted").decode()
        version = hashlib.sha256(body.encode()).hexdigest()[:16]
        text = f'{{"version_info":"{version}","resources":{body}}}\n'
        return cls(version, text, frozenset(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyConfig:
    """Everything Envoy serves by, in the parts it can take one by one."""

    listeners: Document
    routes: Document
    clusters: Mapping[str, Json]
    """Cluster resources by name, which is `project/service`."""
    endpoints: Mapping[str, Document]
    """One document per cluster, so that a moved replica rewrites nothing else."""

    def clusters_document(self, *, also: Mapping[str, Json] | None = None) -> Document:
        """The clusters, and those of `also` that are not among them."""
        every = {**(also or {}), **self.clusters}
        names = sorted(every)
        return Document.of([every[name] for name in names], names=names)


def endpoints_file(cluster: str) -> str:
    """The name of a cluster's endpoints file below the `eds` directory."""
    return quote(cluster, safe="") + ".json"

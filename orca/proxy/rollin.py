"""The order in which Envoy is told of a change, as data.

A route must never name a cluster that Envoy does not have yet or has no longer. So new clusters come
before the routes that need them, and old ones go after the routes that needed them have gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from orca.proxy.envoy_config.listeners import STAT_PREFIX
from orca.proxy.envoy_config.resources import Document, EnvoyConfig, Json
from orca.proxy.envoy_config.routes import ROUTE_CONFIG


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A piece of configuration that Envoy accepts or refuses as a whole."""

    statistics: str
    """The prefix under which Envoy reports on it."""
    label: str
    """What people call it."""
    cluster: str = ""
    """Set for the endpoints of one cluster."""


LISTENERS: Final = Part("listener_manager.lds", "the listeners")
CLUSTERS: Final = Part("cluster_manager.cds", "the services")
ROUTES: Final = Part(f"http.{STAT_PREFIX}.rds.{ROUTE_CONFIG}", "the routes")

Stage = Mapping[Part, Document]
"""Parts that may be told at once."""


def endpoints_part(cluster: str) -> Part:
    """The endpoints of one cluster."""
    return Part(f"cluster.{cluster}", f"the endpoints of {cluster}", cluster)


@dataclass(frozen=True, slots=True)
class Stages:
    """Told one after the other, each once the one before it was answered."""

    growth: Stage
    """Every cluster of before and after, and all endpoints."""
    switch: Stage
    """Routes and listeners."""
    removal: Stage
    """Only the clusters of after."""


def stages(config: EnvoyConfig, *, present: Mapping[str, Json]) -> Stages:
    """What to tell Envoy. `present` are the clusters it may be routing to now."""
    endpoints = {endpoints_part(name): document for name, document in config.endpoints.items()}
    final = config.clusters_document()
    leaving = present.keys() - config.clusters.keys()
    return Stages(
        growth={
            **endpoints,
            CLUSTERS: config.clusters_document(also=present) if leaving else final,
        },
        switch={ROUTES: config.routes, LISTENERS: config.listeners},
        removal={CLUSTERS: final},
    )


def clusters_in(text: str | None) -> dict[str, Json]:
    """The clusters of a clusters document; none if there is no such document."""
    if text is None:
        return {}
    try:
        return {cluster["name"]: cluster for cluster in msgspec.json.decode(text)["resources"]}
    except (ValueError, KeyError, TypeError):  # a stranger's file: replaced as a whole
        return {}


def port_in(text: str | None) -> tuple[str, int] | None:
    """Address and port of the first listener in a listeners document."""
    if text is None:
        return None
    try:
        where = msgspec.json.decode(text)["resources"][0]["address"]["socket_address"]
        return str(where["address"]), int(where["port_value"])
    except (ValueError, KeyError, TypeError, IndexError):
        return None

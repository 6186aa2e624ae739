"""JSON Schemas of the two files, for editors. They accept what `load` accepts, spelling included.

A schema cannot say everything: what keys have to agree on is only checked by `orca config check`.
"""

from __future__ import annotations

from typing import Any

from orca.spec.cluster import ClusterSpec
from orca.spec.service import ServiceSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def service_schema() -> dict[str, Any]:
    """The schema of a `service.toml`."""
    service = ServiceSpec.model_json_schema(mode="validation")
    definitions = service.pop("$defs")
    service["properties"]["runtime"]["enum"].append("container")
    definitions["Service"] = service
    return {
        "$schema": DIALECT,
        "title": "orca service.toml",
        "description": "The services of one project.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "service": {
                "type": "array",
                "items": {"$ref": "#/$defs/Service"},
                "description": "One [[service]] for each service.",
            }
        },
        "$defs": definitions,
    }


def cluster_schema() -> dict[str, Any]:
    """The schema of `cluster.toml`."""
    schema = ClusterSpec.model_json_schema(mode="validation")
    return {"$schema": DIALECT, **schema, "title": "orca cluster.toml"}

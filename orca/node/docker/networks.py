"""Networks: one bridge per project, made when the first container needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orca.node.docker import failures
from orca.node.docker.api import Api, Refused

BUILT_IN = frozenset({"host", "bridge", "none"})


def label_filter(labels: Mapping[str, str], **more: list[str]) -> str:
    """Docker's `filters` parameter for things with all these labels."""
    return json.dumps({"label": [f"{key}={value}" for key, value in labels.items()], **more})


async def ensure(api: Api, name: str, *, labels: Mapping[str, str]) -> None:
    """Make a bridge network unless one of that name exists."""
    if name in BUILT_IN or await _exists(api, name):
        return
    body = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": dict(labels)}
    try:
        await api.call("POST", "networks/create", body=body)
    except Refused as refused:
        # Two replicas of one project may come at once.
        if refused.status != 409:
            raise failures.container_error(f"(network {name})", refused.text) from refused


async def _exists(api: Api, name: str) -> bool:
    try:
        await api.call("GET", f"networks/{name}")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise failures.container_error(f"(network {name})", refused.text) from refused
    return True


async def remove_if_unused(api: Api, name: str, *, labels: Mapping[str, str]) -> bool:
    """Remove a network that is ours and holds nothing; whether it is gone."""
    try:
        found = await api.call("GET", f"networks/{name}")
        theirs = found["Labels"] or {}
        if any(theirs.get(key) != value for key, value in labels.items()) or found["Containers"]:
            return False
        await api.call("DELETE", f"networks/{found['Id']}")
    except Refused as refused:
        if refused.status == 404:
            return True
        if refused.status in (403, 409):
            return False
        raise failures.container_error(f"(network {name})", refused.text) from refused
    return True

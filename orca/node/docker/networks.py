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
    """Make a bridge network unless one of that name exists. Not to be called twice at once.

    Docker lets two networks have one name, and then refuses containers that ask for it. Should that
    have happened (two orcas, an old race), the surplus ones that hold nothing are removed.
    """
    if name in BUILT_IN:
        return
    found = await _named(api, name)
    if not found:
        await _create(api, name, labels)
    elif len(found) > 1:
        await _remove_surplus(api, found)


async def _create(api: Api, name: str, labels: Mapping[str, str]) -> None:
    body = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": dict(labels)}
    try:
        await api.call("POST", "networks/create", body=body)
    except Refused as refused:
        if refused.status != 409:
            raise failures.container_error(f"(network {name})", refused.text) from refused


async def _named(api: Api, name: str) -> list[str]:
    """The ids of all networks with exactly this name, oldest first."""
    try:
        listed = await api.call("GET", "networks", params={"filters": json.dumps({"name": [name]})})
    except Refused as refused:
        raise failures.container_error(f"(network {name})", refused.text) from refused
    same = [network for network in listed if network["Name"] == name]
    return [network["Id"] for network in sorted(same, key=lambda n: str(n["Created"]))]


async def _remove_surplus(api: Api, ids: list[str]) -> None:
    for id in ids[1:]:
        try:
            await api.call("DELETE", f"networks/{id}")
        except Refused as refused:
            # One that holds containers stays; its own containers reach it by id.
            if refused.status not in (403, 404, 409):
                raise failures.container_error(f"(network {id})", refused.text) from refused


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

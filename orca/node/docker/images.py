"""Images: what a reference stands for on this host, and pulling it when the policy says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from orca import errors
from orca.model.container import PullPolicy
from orca.node import images
from orca.node.docker import credentials, failures
from orca.node.docker.api import Api, Refused

PULL_SECONDS = 1800.0
"""Longest pull; progress does not prolong it."""


async def resolve(api: Api, image: str, *, pull: PullPolicy) -> str:
    """The image's digest reference, or its id when no registry knows it."""
    local = await _inspect(api, image)
    if images.is_image_id(image):
        if local is None:
            raise failures.missing_image(image, "an image id cannot be pulled")
        return image
    # Built or loaded here: without digests no registry ever had it, so none is asked.
    known = bool(local and local["RepoDigests"])
    if not images.must_pull(image, pull=pull, present=local is not None, from_registry=known):
        if local is None:
            raise failures.missing_image(image, "its pull policy is `never`")
        return _resolved(image, local)
    await _pull(api, image)
    pulled = await _inspect(api, image)
    if pulled is None:
        raise failures.image_error(image, "it vanished right after it was pulled")
    return _resolved(image, pulled)


async def _inspect(api: Api, image: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = await api.call("GET", f"images/{image}/json")
    except Refused as refused:
        if refused.status == 404:
            return None
        raise failures.image_error(image, refused.text) from refused
    return found


def _resolved(image: str, found: Mapping[str, Any]) -> str:
    repository = images.familiar(images.split(image)[0])
    for digest in found["RepoDigests"] or ():
        if images.familiar(images.split(digest)[0]) == repository:
            return str(digest)
    return str(found["Id"])


async def _pull(api: Api, image: str) -> None:
    repository, tag = images.split(image)
    digest = image.partition("@")[2]
    params = {"fromImage": repository, "tag": digest or tag or "latest"}
    auth = await credentials.find(image)
    headers = {"X-Registry-Auth": _encode(auth)} if auth else {}
    try:
        async with api.stream(
            "POST", "images/create", params=params, headers=headers, seconds=PULL_SECONDS
        ) as response:
            async for line in response.content:
                # Failures come in the middle of a successful answer.
                if text := json.loads(line).get("error"):
                    raise failures.image_error(image, text)
    except Refused as refused:
        raise failures.image_error(image, refused.text) from refused
    except errors.DockerUnavailable as error:
        if isinstance(error.__cause__, TimeoutError):
            raise failures.image_error(image, "timeout while pulling") from error
        raise


def _encode(auth: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(dict(auth)).encode()).decode()

"""Registry credentials as the docker CLI keeps them: `~/.docker/config.json` and its helpers.

`DOCKER_CONFIG` names another directory. Read again for every pull, so that a `docker login` counts at
once. A helper is a program that may ask a key ring: it runs in a thread, never on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from orca import errors


async def find(image: str) -> Mapping[str, str]:
    """What to present to the image's registry; empty when nothing is configured.

    Raises `ImageError` when the configuration or its helper is broken.
    """
    return await asyncio.to_thread(_find, image)


def _find(image: str) -> Mapping[str, str]:
    # Costs 100 ms to import and is needed only where something is pulled.
    from docker import auth
    from docker import errors as docker_errors

    try:
        registry, _ = auth.resolve_repository_name(image)
        found = auth.load_config().resolve_authconfig(registry)
    except (docker_errors.DockerException, ValueError) as error:
        raise errors.ImageError(
            f"image {image}: the registry credentials on this host cannot be read ({error})",
            hint="check ~/.docker/config.json and the credential helper it names; `docker login` rewrites it",
        ) from error
    return _as_header(found or {}, registry)


def _as_header(found: Mapping[str, str], registry: str) -> Mapping[str, str]:
    if token := found.get("IdentityToken"):
        return {"identitytoken": token, "serveraddress": registry}
    name = found.get("username") or found.get("Username")
    password = found.get("password") or found.get("Password")
    if not name:
        return {}
    return {"username": name, "password": password or "", "serveraddress": registry}

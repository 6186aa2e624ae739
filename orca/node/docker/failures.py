"""The Docker Engine's error texts, turned into orca's errors with advice.

Docker says the same thing with several status codes and wordings, depending on its age and on the
registry's, so the tables go by what the text contains. They are tried in order; the last row of each
catches the rest. What the text itself says is always kept in the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import aiodocker

from orca import errors

UNREACHABLE_STATUS = 900
"""What aiodocker reports when the engine cannot be reached at all."""


@dataclass(frozen=True, slots=True)
class _Row:
    needles: tuple[str, ...]
    says: str
    hint: str
    permanent: bool


_IMAGE = (
    _Row(
        ("invalid reference format", "invalid repository name", "repository name must"),
        "its name is not a valid image reference",
        "write it as [registry/]repository[:tag]",
        True,
    ),
    _Row(
        ("no space left on device", "disk quota exceeded"),
        "there is no space left for it on this host",
        "free space under Docker's data directory (`docker system df`), then deploy again",
        False,
    ),
    _Row(
        ("toomanyrequests", "rate limit", "429"),
        "the registry limits how often it may be asked",
        "log in to the registry with `docker login`, wait, or keep the image on a registry of your own",
        False,
    ),
    _Row(
        ("unauthorized", "no basic auth", "authentication required", "incorrect username", "403"),
        "the registry refuses the credentials",
        "run `docker login` for this registry as the user orca runs as, on this host",
        True,
    ),
    _Row(
        ("pull access denied", "denied"),
        "it does not exist in the registry, or may not be read without logging in",
        "check the name; for a private repository run `docker login` on this host",
        True,
    ),
    _Row(
        ("manifest unknown", "not found", "no such image", "name unknown", "does not exist"),
        "there is no such image or tag",
        "check the image's name and tag, and that it was pushed",
        True,
    ),
    _Row(
        ("no matching manifest", "does not match the specified platform"),
        "it is not built for this host's processor",
        "build and push the image for this platform too",
        True,
    ),
    _Row(
        ("timeout", "deadline exceeded", "timed out"),
        "the registry did not answer in time",
        "check the network between this host and the registry",
        False,
    ),
    _Row(
        ("no such host", "connection refused", "network is unreachable", "no route to host"),
        "the registry cannot be reached",
        "check the registry's name, that it runs, and this host's DNS and network",
        False,
    ),
    _Row(("",), "Docker could not pull it", "", False),
)

_CONTAINER = (
    _Row(
        (
            "executable file not found",
            "no such file or directory: unknown",
            "permission denied: unknown",
        ),
        "its command does not exist in the image, or may not be executed",
        "check `command` and `entrypoint` against what the image contains",
        True,
    ),
    _Row(
        ("bind source path does not exist",),
        "a mounted path does not exist on this host",
        "create the path, or correct `source` in the service's mounts",
        True,
    ),
    _Row(
        ("invalid mount", "duplicate mount point", "mount denied", "not a directory: unknown"),
        "one of its mounts is not possible",
        "check the service's mounts and volumes",
        True,
    ),
    _Row(
        ("unable to find user", "no matching entries in passwd", "no matching entries in group"),
        "its user does not exist in the image",
        "check `user`; a number always works",
        True,
    ),
    _Row(
        ("no space left on device",),
        "there is no space left on this host",
        "free space under Docker's data directory (`docker system df`)",
        False,
    ),
    _Row(
        ("could not find an available", "non-overlapping ipv4 address pool"),
        "Docker has no free subnet for another network",
        "remove unused networks, or widen `default-address-pools` in /etc/docker/daemon.json",
        False,
    ),
    _Row(
        ("invalid", "minimum memory limit", "range of cpus", "conflicting options"),
        "Docker does not accept its settings",
        "correct the setting that Docker names",
        True,
    ),
    _Row(("",), "Docker refuses it", "", False),
)

_PORT = re.compile(
    r"(?:Bind for \S*?:(?P<a>\d+) failed: port is already allocated"
    r"|listen (?:tcp|udp)\d? \S*?:(?P<b>\d+): bind: address already in use)"
)


def _row(table: tuple[_Row, ...], text: str) -> _Row:
    low = text.lower()
    return next(row for row in table if any(needle in low for needle in row.needles))


_WRAPPERS = (
    re.compile(r"^Cannot connect to Docker Engine via \S+ \[(.*)\]$", re.DOTALL),
    re.compile(r"^Cannot connect to \S.* ssl:\S+ \[(.*)\]$", re.DOTALL),
)


def unavailable(where: str, error: BaseException) -> errors.DockerUnavailable:
    """The engine did not answer."""
    what = str(error).removeprefix(f"[{UNREACHABLE_STATUS}] ") or type(error).__name__
    for wrapper in _WRAPPERS:
        what = wrapper.sub(r"\1", what)
    return errors.DockerUnavailable(
        f"Docker does not answer at {where}: {what}",
        hint="check that the Docker daemon runs (`systemctl status docker`) and that DOCKER_HOST is right",
    )


def image_error(image: str, text: str) -> errors.ImageError:
    """Why an image cannot be had."""
    row = _row(_IMAGE, text)
    return errors.ImageError(
        f"image {image}: {row.says} ({text.strip()})", hint=row.hint, permanent=row.permanent
    )


def missing_image(image: str, why: str) -> errors.ImageError:
    """An image that is not on the host and that no registry is asked for."""
    return errors.ImageError(
        f"image {image} is not on this host, and {why}",
        hint="load or build it here, or push it to a registry this host can reach",
        permanent=True,
    )


def container_error(name: str, text: str) -> errors.ContainerError:
    """Why a container cannot be made or started."""
    if taken := _PORT.search(text):
        port = taken["a"] or taken["b"]
        return errors.ContainerError(
            f"container {name}: host port {port} is already in use",
            hint=f"find out who holds it with `ss -ltnp 'sport = :{port}'`, or publish another port",
        )
    row = _row(_CONTAINER, text)
    return errors.ContainerError(
        f"container {name}: {row.says} ({_tidy(text)})", hint=row.hint, permanent=row.permanent
    )


def _tidy(text: str) -> str:
    """Docker's nested texts repeat who called whom; the last part says what is wrong."""
    text = text.strip().removesuffix(": unknown")
    marker = "OCI runtime create failed: "
    return text.rpartition(marker)[2] if marker in text else text


def is_unreachable(error: aiodocker.DockerError) -> bool:
    """Whether the engine could not be reached, rather than refused."""
    return error.status == UNREACHABLE_STATUS

"""What an image reference says: its repository, its tag, and whether that tag may move. Pure."""

from __future__ import annotations

import re

from orca.model.container import PullPolicy

_MOVING_WORDS = frozenset(
    {"latest", "main", "master", "trunk", "develop", "dev", "edge", "nightly", "canary", "snapshot"}
    | {"stable", "lts", "mainline", "rolling", "current", "next", "beta", "alpha", "rc", "testing"}
    | {"staging", "prod", "production", "release"}
)
_PARTIAL_VERSION = re.compile(r"v?\d+(\.\d+)?")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(image: str) -> bool:
    """Whether the reference names exactly one image for ever: `repo@sha256:…` or an image id."""
    return "@sha256:" in image or _IMAGE_ID.fullmatch(image) is not None


def is_image_id(image: str) -> bool:
    """Whether the reference is the bare id of an image on this host, which no registry can serve."""
    return _IMAGE_ID.fullmatch(image) is not None


def split(image: str) -> tuple[str, str]:
    """Repository and tag; the tag is empty where there is none. A digest is dropped.

    >>> split("localhost:5000/web:1.2.3@sha256:00")
    ('localhost:5000/web', '1.2.3')
    """
    reference = image.partition("@")[0]
    head, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag


def is_mutable(image: str) -> bool:
    """Whether the tag is meant to move, so that a deploy asks the registry again.

    Moving are: no tag, `latest` and other words for a channel (`main`, `edge`, `stable` …), and partial
    versions (`16`, `1.27`, `v2`), also before a variant (`16-alpine`, `stable-slim`). A whole version
    (`1.27.3`), a date, a commit and any other word are taken to be final; `pull = "always"` says
    otherwise for one service.
    """
    if is_digest(image):
        return False
    tag = split(image)[1].lower()
    head = tag.partition("-")[0]
    if not tag or head in _MOVING_WORDS:
        return True
    return _PARTIAL_VERSION.fullmatch(head) is not None and not _looks_like_commit_or_date(head)


def _looks_like_commit_or_date(text: str) -> bool:
    """`20240501` is a day and `1234567` a commit, not the major version of anything."""
    return "." not in text and len(text.lstrip("v")) >= 6


def must_pull(image: str, *, pull: PullPolicy, present: bool, from_registry: bool) -> bool:
    """Whether the registry has to be asked.

    `from_registry` says whether the image on the host came from one; an image that was built or loaded
    here is used as it is.
    """
    match pull:
        case PullPolicy.NEVER:
            return False
        case PullPolicy.ALWAYS:
            return True
        case PullPolicy.IF_MISSING:
            return not present
        case PullPolicy.AUTO:
            return not present or (from_registry and is_mutable(image))


def familiar(repository: str) -> str:
    """The short form under which Docker keeps a repository: `docker.io/library/x` is `x`."""
    for prefix in (
        "docker.io/library/",
        "index.docker.io/library/",
        "docker.io/",
        "index.docker.io/",
    ):
        if repository.startswith(prefix):
            return repository.removeprefix(prefix)
    return repository

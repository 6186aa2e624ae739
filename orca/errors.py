"""Every error orca raises on purpose, ordered by what the caller can do about it.

    OrcaError
    ├── UserError            change the input, then try again
    │   ├── InvalidConfig    … in the files named by its diagnostics
    │   ├── NotFound         … the thing named does not exist
    │   ├── Unsupported      … the feature named is not in this version
    │   └── MissingSecret    … set the secret named, or correct its key
    ├── Denied               present another credential
    │   ├── Unauthenticated
    │   └── Forbidden
    ├── Conflict             look again: somebody else was first
    │   └── Fenced           stop: a newer leader exists
    ├── Unavailable          wait, then try again
    │   ├── NoServer         … after `orca server` runs
    │   ├── StoreUnavailable
    │   ├── StoreFull        … after space was made for etcd
    │   ├── DockerUnavailable
    │   └── NoNode           … after a node has connected
    ├── DeadlineExceeded     the time allowed ran out; the outcome may be unknown
    └── Failed               orca did what was asked and it did not work out
        ├── ImageError       the image cannot be had
        ├── ContainerError   Docker refused the container
        ├── RolloutFailed    the new version was not accepted; the old one still serves
        └── ProxyConfigRejected

Foreign exceptions are translated at the one door of their system (`store/etcd.py`, `node/docker.py`,
`client/http.py` …) with `raise … from`. Each class knows the exit code and the HTTP status that stand
for it, so that no table elsewhere has to be kept in step.
"""

from __future__ import annotations

from typing import ClassVar


class OrcaError(Exception):
    """Something orca could not do.

    `message` says what happened, where and why; `hint` says what to do about it. Both are complete
    sentences for a person, without secrets.
    """

    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(OrcaError):
    """The input cannot be acted on."""

    kind = "invalid"
    exit_code = 2
    http_status = 422


class InvalidConfig(UserError):
    """Configuration files do not say something orca can act on.

    `problems` holds one rendered `file:line:column: message` block per fault, all of them at once.
    """

    kind = "invalid_config"

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        count = len(problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{count} {noun} in the configuration", hint=hint)
        self.problems = problems


class NotFound(UserError):
    """The named thing does not exist."""

    kind = "not_found"
    exit_code = 5
    http_status = 404


class Unsupported(UserError):
    """The configuration needs a feature that this version does not have yet."""

    kind = "unsupported"


class MissingSecret(UserError):
    """A `${secrets.X}` has no value, or its value cannot be decrypted."""

    kind = "missing_secret"


class Denied(OrcaError):
    """The credential presented does not allow this."""

    kind = "denied"
    exit_code = 4
    http_status = 403


class Unauthenticated(Denied):
    """No credential, or one that nobody was given."""

    kind = "unauthenticated"
    http_status = 401


class Forbidden(Denied):
    """A valid credential whose role does not include this action."""

    kind = "forbidden"


class Conflict(OrcaError):
    """The state changed since it was read, or something else already holds what is wanted."""

    kind = "conflict"
    exit_code = 6
    http_status = 409


class Fenced(Conflict):
    """A newer leader exists: whoever gets this must stop acting as leader at once."""

    kind = "fenced"


class Unavailable(OrcaError):
    """A part that is needed does not answer. Whether the last request was done may be unknown."""

    kind = "unavailable"
    exit_code = 7
    http_status = 503


class NoServer(Unavailable):
    """No orca server answers at the API address."""

    kind = "no_server"
    exit_code = 3


class StoreUnavailable(Unavailable):
    """etcd does not answer within the deadline, or has no leader."""

    kind = "store_unavailable"


class StoreFull(Unavailable):
    """etcd refuses writes: its disk or its quota is exhausted."""

    kind = "store_full"
    http_status = 507


class DockerUnavailable(Unavailable):
    """The Docker Engine does not answer."""

    kind = "docker_unavailable"


class NoNode(Unavailable):
    """No connected node can do this."""

    kind = "no_node"


class DeadlineExceeded(OrcaError):
    """The time allowed ran out."""

    kind = "deadline_exceeded"
    exit_code = 8
    http_status = 504


class Failed(OrcaError):
    """orca tried, and the thing itself did not work.

    `permanent` says that trying again unchanged cannot mend it.
    """

    kind = "failed"
    http_status = 409

    def __init__(self, message: str, *, hint: str = "", permanent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent


class ImageError(Failed):
    """The image does not exist, may not be pulled, or could not be pulled."""

    kind = "image"


class ContainerError(Failed):
    """Docker refused to create, start or stop a container."""

    kind = "container"


class RolloutFailed(Failed):
    """The new revision was not accepted; what served before still serves."""

    kind = "rollout_failed"


class ProxyConfigRejected(Failed):
    """Envoy refused a configuration and keeps serving the last good one."""

    kind = "proxy_config_rejected"


def _tree(root: type[OrcaError]) -> dict[str, type[OrcaError]]:
    """Classes by kind; a subclass that has no kind of its own does not take its parent's place."""
    found = {root.kind: root}
    for child in root.__subclasses__():
        for kind, cls in _tree(child).items():
            found.setdefault(kind, cls)
    return found


def from_kind(kind: str, message: str, *, hint: str = "") -> OrcaError:
    """Rebuild an error that came over the wire from its `kind`; unknown kinds become `OrcaError`."""
    cls = _tree(OrcaError).get(kind, OrcaError)
    if cls is InvalidConfig:
        return InvalidConfig(tuple(message.split("\n\n")), hint=hint)
    return cls(message, hint=hint)

"""The one table from etcd's errors to ours, and which of them another try may mend."""

from __future__ import annotations

from typing import Final

import grpc
import grpc.aio

from orca import errors

_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.ABORTED,
    }
)


class Compacted(errors.Unavailable):
    """The revision asked for was compacted away; list again. Never leaves the store."""

    kind = "store_compacted"


class LeaseUnknown(errors.Conflict):
    """The lease named does not exist (any more). Never leaves the store."""

    kind = "store_lease_unknown"


class TokenExpired(errors.StoreUnavailable):
    """The login must be repeated. Never leaves the store."""

    kind = "store_token_expired"


def translate(error: grpc.aio.AioRpcError, endpoint: str) -> errors.OrcaError:
    """The one table from etcd's errors to ours."""
    code, details = error.code(), error.details() or ""
    if "database space exceeded" in details or "no space left" in details:
        return errors.StoreFull(
            f"etcd at {endpoint} refuses writes: its space quota is used up.",
            hint="Delete what is not needed, or raise the quota; then compact and defragment.",
        )
    if "revision has been compacted" in details:
        return Compacted(f"etcd at {endpoint}: {details}.")
    if "requested lease not found" in details:
        return LeaseUnknown(f"etcd at {endpoint}: {details}.")
    if "invalid auth token" in details:
        return TokenExpired(f"etcd at {endpoint}: {details}.")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED) or (
        code is grpc.StatusCode.INVALID_ARGUMENT and "authentication failed" in details
    ):
        return errors.StoreUnavailable(
            f"etcd at {endpoint} does not let us in: {details}.",
            hint="Check the user and password of [store], and that user's role in etcd.",
        )
    if "request is too large" in details or "too many operations" in details:
        return errors.UserError(f"etcd at {endpoint} refuses the request: {details}.")
    return errors.StoreUnavailable(
        f"etcd at {endpoint} does not answer: {details or code.name.lower()}.",
        hint="Check that etcd runs, and that it has a leader.",
    )


def is_transient(error: grpc.aio.AioRpcError) -> bool:
    """Whether another try, or another endpoint, may mend it."""
    details = error.details() or ""
    overloaded = "too many requests" in details
    return overloaded or (error.code() in _TRANSIENT and "no space left" not in details)

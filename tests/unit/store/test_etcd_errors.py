"""The table from etcd's errors to ours."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest

from orca import errors
from orca.store import etcd_errors
from orca.store.etcd_errors import Compacted, LeaseUnknown, TokenExpired

CODE = grpc.StatusCode


def rpc_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("code", "details", "expected", "transient"),
    [
        (CODE.UNAVAILABLE, "connection refused", errors.StoreUnavailable, True),
        (CODE.UNAVAILABLE, "etcdserver: no leader", errors.StoreUnavailable, True),
        (CODE.DEADLINE_EXCEEDED, "Deadline Exceeded", errors.StoreUnavailable, True),
        (CODE.CANCELLED, "", errors.StoreUnavailable, True),
        (CODE.UNKNOWN, "context canceled", errors.StoreUnavailable, True),
        (
            CODE.RESOURCE_EXHAUSTED,
            "etcdserver: too many requests",
            errors.StoreUnavailable,
            True,
        ),
        (
            CODE.RESOURCE_EXHAUSTED,
            "etcdserver: mvcc: database space exceeded",
            errors.StoreFull,
            False,
        ),
        (CODE.UNKNOWN, "write: no space left on device", errors.StoreFull, False),
        (
            CODE.OUT_OF_RANGE,
            "etcdserver: mvcc: required revision has been compacted",
            Compacted,
            False,
        ),
        (CODE.NOT_FOUND, "etcdserver: requested lease not found", LeaseUnknown, False),
        (CODE.UNAUTHENTICATED, "etcdserver: invalid auth token", TokenExpired, False),
        (
            CODE.PERMISSION_DENIED,
            "etcdserver: permission denied",
            errors.StoreUnavailable,
            False,
        ),
        (CODE.INVALID_ARGUMENT, "etcdserver: request is too large", errors.UserError, False),
    ],
)
def test_error_of_etcd_becomes_what_the_caller_can_act_on(
    code: grpc.StatusCode, details: str, expected: type[errors.OrcaError], transient: bool
) -> None:
    error = rpc_error(code, details)
    translated = etcd_errors.translate(error, "10.0.0.1:2379")
    assert type(translated) is expected
    assert "10.0.0.1:2379" in translated.message
    assert etcd_errors.is_transient(error) is transient


def test_internal_errors_do_not_take_the_names_of_those_that_travel() -> None:
    assert type(errors.from_kind("conflict", "x")) is errors.Conflict
    assert type(errors.from_kind("unavailable", "x")) is errors.Unavailable

"""Where clients connect: Envoy's listeners (LDS) and the HTTP filter chain behind them.

Every filter and statistic is paid for by every request, so the chain is as short as it can be.
"""

from __future__ import annotations

from typing import Any, Final

from orca.proxy.envoy_config.resources import Document, Json, typed, watched
from orca.proxy.envoy_config.routes import ROUTE_CONFIG
from orca.proxy.settings import ProxySettings

STAT_PREFIX: Final = "ingress"
HTTP_LISTENER: Final = "http"

_BUFFER_BYTES: Final = 256 * 1024
_IDLE_SECONDS: Final = 3600
"""Of a stream on which nothing moves, such as a silent WebSocket or event stream."""
_KEEP_ALIVE_SECONDS: Final = 600
"""Of a client's connection between requests."""
_HEADERS_SECONDS: Final = 30
"""For a client to send its request headers; slower ones only hold connections."""

_ACCESS_LOG_FIELDS: Final = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "received_bytes": "%BYTES_RECEIVED%",
    "sent_bytes": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "service": "%UPSTREAM_CLUSTER%",
    "endpoint": "%UPSTREAM_HOST%",
    "user_agent": "%REQ(USER-AGENT)%",
}

_REPLIES: Final = (
    # Response flag, and what the client reads instead of Envoy's own words.
    ("NR", "orca: nothing is routed at %REQ(:AUTHORITY):200%%PATH(NQ:PATH):200%"),
    ("UH", "orca: no ready replica of %UPSTREAM_CLUSTER%"),
    ("NC", "orca: no ready replica of %UPSTREAM_CLUSTER%"),
    ("UF", "orca: no replica of %UPSTREAM_CLUSTER% accepts connections"),
)


def listener_document(
    settings: ProxySettings, *, routes_path: str, access_log_path: str
) -> Document:
    """All listeners."""
    manager = _connection_manager(
        settings, routes_path=routes_path, access_log_path=access_log_path
    )
    listener = typed(
        "envoy.config.listener.v3.Listener",
        name=HTTP_LISTENER,
        address={"socket_address": {"address": settings.bind, "port_value": settings.http_port}},
        per_connection_buffer_limit_bytes=_BUFFER_BYTES,
        filter_chains=[
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    )
    return Document.of([listener], names=[HTTP_LISTENER])


def _connection_manager(settings: ProxySettings, *, routes_path: str, access_log_path: str) -> Json:
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return typed(
        kind,
        stat_prefix=STAT_PREFIX,
        codec_type="AUTO",
        rds={"route_config_name": ROUTE_CONFIG, "config_source": watched(routes_path)},
        http_filters=[_router()],
        access_log=[_access_log(access_log_path)] if settings.access_log else [],
        local_reply_config={"mappers": [_reply(flag, body) for flag, body in _REPLIES]},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        **_forwarding(settings.trusted_hops),
        **_limits(),
        **_protocols(),
    )


def _forwarding(trusted_hops: int) -> dict[str, Any]:
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": trusted_hops,
        # Private addresses are clients like any other: their x-envoy-* headers are not obeyed.
        "internal_address_config": {"unix_sockets": False},
        "append_x_forwarded_port": True,
        "generate_request_id": True,
        "preserve_external_request_id": trusted_hops > 0,
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": True,
    }


def _limits() -> dict[str, Any]:
    return {
        "request_headers_timeout": f"{_HEADERS_SECONDS}s",
        "stream_idle_timeout": f"{_IDLE_SECONDS}s",
        "max_request_headers_kb": 96,
        "common_http_protocol_options": {
            "idle_timeout": f"{_KEEP_ALIVE_SECONDS}s",
            "max_headers_count": 200,
        },
    }


def _protocols() -> dict[str, Any]:
    return {
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "unknown"},
        "http2_protocol_options": {
            "allow_connect": True,  # WebSocket over HTTP/2 (RFC 8441)
            "max_concurrent_streams": 128,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
    }


def _router() -> Json:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": typed(
            "envoy.extensions.filters.http.router.v3.Router",
            suppress_envoy_headers=True,
            dynamic_stats=False,
        ),
    }


def _reply(flag: str, body: str) -> Json:
    return {
        "filter": {"response_flag_filter": {"flags": [flag]}},
        "body_format_override": {"text_format_source": {"inline_string": body + "\n"}},
        "headers_to_add": [
            {"header": {"key": "x-content-type-options", "value": "nosniff"}},
        ],
    }


def _access_log(path: str) -> Json:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": typed(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path=path,
            log_format={"json_format": _ACCESS_LOG_FIELDS},
        ),
    }

"""Write docs/api.md from the route table; `--check` only says whether it is fresh.

Routes, roles, parameters and bodies come from `orca.master.api.routes`, statuses from `orca.errors`, so
the page cannot promise what is not there. The words around the tables are here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orca import errors
from orca.client.settings import ClientSettings
from orca.master.api import auth, parse, receipts, sockets, streams
from orca.master.api.routes import PREFIX, TABLE, Route, Stream

PAGE = Path(__file__).parent.parent / "docs" / "api.md"

INTRO = f"""\
# REST API

<!-- Written by scripts/gen_api_docs.py from orca/master/api. Change those, then run it again. -->

Every master serves this API, on `http://127.0.0.1:6880` unless `[cluster] api_port` says otherwise. The
address in force is in `api.url` in the server's home. Bodies are JSON; their schemas are in the OpenAPI 3.1
document at `{PREFIX}/openapi.json`. Python programs use `orca.client.http.OrcaClient`, which has one typed
method per route.

```
curl -H "Authorization: Bearer $(cat ~/.orca/cluster.token)" http://127.0.0.1:6880{PREFIX}/status
```

## Routes

All paths are below `{PREFIX}`; `/metrics` answers without the prefix too. `{{service}}` is `name`, when only
one project has such a service, or `project/name` with the slash written as `%2F`: `shop%2Fweb`.

A role includes the ones to its left: **viewer**, **deployer**, **admin**. A route that has no role does not
exist: access is denied by default.
"""

REST = f"""\
## Tokens

Everything but `/health` wants `Authorization: Bearer <token>`. There are no cookies and no tokens in URLs, so
a web page in somebody's browser has nothing to send along, whatever name it resolves to this host.

- The **admin token** is made at the first start, in `cluster.token` in the server's home (mode 0600; a file
  that others may read is refused).
- More tokens are configured by name, SHA-256 and role. `orca config reload` replaces them at once, which is
  also how one is revoked.
- orca keeps hashes only and compares them in constant time.
- After {auth.FailureBrake().limit} requests per minute without a valid token from one address, more of them
  get 429 with `Retry-After`. A valid token is let through at any time.

Without TLS the API listens on loopback addresses only; a server told otherwise does not start.

Every change, also one that was refused, leaves a line in the log under the logger `audit`: who, role, what,
outcome, status, address. Bodies are never logged, and neither are query strings.

## Requests

- Unknown keys and unknown or repeated query parameters are errors; all faults of a request are reported
  at once.
- A body may have {parse.BODY_BYTES_MAX // 1024**2} MiB.
- `Idempotency-Key` on a POST: the same request again, by the same token under the same key, gets the stored
  answer (`Idempotency-Replayed: true`) and changes nothing; another request under that key is a 409; one that
  is still under way is waited for. Only successes are stored, {receipts.RECEIPTS_MAX} of them for
  {receipts.AGE_SECONDS_MAX / 3600:.0f} hours, in memory: after a restart of the server a key is new again.
- `traceparent` (W3C Trace Context) makes a request part of the caller's trace.
- A change goes on when its client hangs up. Streams and reads end.
- Every answer carries `X-Request-Id`, which the server's log repeats.

## Errors

Errors are `application/problem+json` (RFC 9457), also for unknown routes:

```
{{"type": "conflict", "title": "shop/web has changed since it was planned.", "status": 409,
 "hint": "Look at the plan again.", "error": "shop/web has changed since it was planned."}}
```

`type` is what programs decide on; `title` says what happened, where and why; `hint` what to do. `error`
repeats the title for clients of the first API. Faults of a configuration are separated by blank lines.
Errors that nobody foresaw say only the request id, under which the log has the rest.

"""

STREAMS = f"""\
Besides: 400 for a body that is not JSON, 405 for a method that a path does not have, 413 for a body that
is too large, 426 for a plain request to a WebSocket, 429 for guessing tokens.

## Streams

**Server-sent events** come from `/status`, `/rollouts` and `/events` with `Accept: text/event-stream`, or
with `watch=true` or `follow=true`. The event's name is `status`, `rollout` or `event`, its data the body.
Events of `/events` have their sequence number as `id`, so that a client that reconnects with
`Last-Event-ID` misses nothing.

**NDJSON** comes from `/services/{{service}}/logs`: one `LogLine` per line, empty lines as heartbeats.

- An error before the first item is a status, as everywhere. Later it is the last item: the event
  `problem`, or a line that is a problem (it begins with `{{"type":`). A stream that ends without one is
  complete.
- After {streams.HEARTBEAT_SECONDS:.0f} s of silence comes a heartbeat. A client that hears nothing for
  {ClientSettings().silence_seconds:.0f} s may take the connection for dead.
- A server that shuts down says so, with a problem of type `unavailable`.

## Running a command

`GET /services/{{service}}/exec` is a WebSocket. Frames are at most {sockets.FRAME_BYTES_MAX // 1024**2} MiB.

| frame | direction | content |
|---|---|---|
| text `open` | first, from the client | see below: what to run |
| text `opened` | first, from the server | `{{"type":"opened"}}`: the command runs |
| binary | both | one byte of channel (0 stdin, 1 stdout, 2 stderr), then data |
| text `resize` | from the client | `{{"type":"resize","columns":120,"rows":40}}` |
| text `eof` | from the client | `{{"type":"eof"}}`: no more input |
| text `exit` | last, from the server | `{{"type":"exit","code":0}}` |
| text `error` | last, from the server | `{{"type":"error","problem":{{…}}}}` |

```
{{"type": "open", "command": ["sh", "-c", "date"], "replica": "0", "stdin": true, "tty": true,
 "columns": 80, "rows": 24, "env": {{"TZ": "UTC"}}, "user": ""}}
```

Only `command` is required in `open`, which must come within {sockets.OPEN_SECONDS:.0f} s. The command is
not part of the URL, since URLs end up in logs. A token whose role is too low is refused with 403 before
anything is opened; what goes wrong later is an `error` frame. Closing the WebSocket ends the command.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRO, *_routes(), "", REST + "\n".join(_kinds()), "", STREAMS])


def _routes() -> Iterator[str]:
    yield "| route | role | parameters | body | answer | |"
    yield "|---|---|---|---|---|---|"
    for route in TABLE:
        role = route.role.name.lower() if route.role is not None else "(none)"
        parameters = " ".join(f"`{name}`" for name in route.query.model_fields)
        body = f"`{route.body.__name__}`" if route.takes_body else ""
        cells = (f"`{route.method} {route.path}`", role, parameters, body, _answer(route))
        yield f"| {' | '.join(cells)} | {route.summary} |"


def _answer(route: Route[Any, Any]) -> str:
    item = route.item.__name__ if route.item else ""
    match route.stream:
        case Stream.SOCKET:
            return "WebSocket"
        case Stream.LINES:
            return f"NDJSON of `{item}`"
        case Stream.EVENTS:
            return f"`{_name(route)}`, or events of `{item}`"
    return f"`{_name(route)}`" if route.response else "text"


def _name(route: Route[Any, Any]) -> str:
    return route.response.__name__ if route.response else ""


def _kinds() -> Iterator[str]:
    yield "| type | status | |"
    yield "|---|---|---|"
    for cls in _tree(errors.OrcaError):
        meaning = (cls.__doc__ or "").strip().splitlines()[0]
        told = "Something nobody foresaw." if cls is errors.OrcaError else meaning
        yield f"| `{cls.kind}` | {cls.http_status} | {told} |"


def _tree(root: type[errors.OrcaError]) -> Iterator[type[errors.OrcaError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` exit with 1 when it is stale."""
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.name} is stale: run scripts/gen_api_docs.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A call as a handler sees it, and the answers it may give. No HTTP in here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from pydantic import BaseModel

from orca import errors
from orca.client import schema
from orca.master.api.queries import Query
from orca.master.control import ControlPlane, Principal
from orca.rpc.session import ChunkStream

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=schema.Request)
T = TypeVar("T", bound=BaseModel)


class NoBody(schema.Request):
    """The body of a request that has nothing to say: absent, or `{}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """One request, authenticated and validated."""

    control: ControlPlane
    caller: Principal | None
    """None on public routes only."""
    path: Mapping[str, str]
    query: Q
    body: B
    streaming: bool = False
    """Whether the client asked for server-sent events."""
    resume_after: int = 0
    """The sequence number in `Last-Event-ID`; 0 without one."""
    render_metrics: Callable[[], bytes]
    openapi: Callable[[], bytes]

    @property
    def by(self) -> Principal:
        """Who asks. Raises `Unauthenticated` on a public route, where nobody was asked."""
        if self.caller is None:
            raise errors.Unauthenticated("This route knows no caller.")
        return self.caller

    @property
    def service(self) -> str:
        """The service in the path: `name` or `project/name`."""
        return self.path["service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """A body with a status other than 200."""

    body: BaseModel
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Bytes as they are."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events(Generic[T]):
    """Server-sent events, one per item."""

    name: str
    items: AsyncIterator[T]
    sequence: Callable[[T], int] | None = None
    """What a client sends back as `Last-Event-ID` to go on after an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """NDJSON, one line per item."""

    items: AsyncIterator[BaseModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A WebSocket that carries one command; `open` starts it once the client has said which."""

    open: Callable[[schema.ExecOpen], Awaitable[ChunkStream]]


Answer: TypeAlias = (
    BaseModel
    | Json
    | Text
    | Events[schema.StatusResponse]
    | Events[schema.RolloutView]
    | Events[schema.EventView]
    | Lines
    | Socket
)

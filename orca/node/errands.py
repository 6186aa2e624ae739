"""`Errands`: what the agent has done beside its mailbox, for the master or to tidy up.

Each is one piece of work with one message at its end. None belongs to a replica's life: those are
`steps.py`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from typing import Any

from orca import errors
from orca.actors.actor import Context
from orca.model.ids import CommandId
from orca.node import streams
from orca.node.host import Host
from orca.node.replica import steps
from orca.node.roster import Member
from orca.node.runtime import ContainerSummary
from orca.rpc import messages
from orca.rpc.session import Dialer


@dataclass(frozen=True, slots=True)
class Answered:
    """A command of the master ended."""

    session: int
    done: messages.CommandDone


@dataclass(frozen=True, slots=True)
class Ended:
    """Anything else ended; `error` in words when it failed."""

    what: str
    error: str = ""


ErrandNews = Answered | Ended


class Errands:
    """Started in the agent's context; their ends are messages to it."""

    def __init__(self, context: Context[Any], host: Host, dialer: Dialer) -> None:
        self._context = context
        self._host = host
        self._dialer = dialer

    def resolve(self, command: messages.ResolveImage, *, session: int) -> None:
        """Find out what an image is."""
        self._context.start(
            steps.resolve(self._host, command),
            key=("command", command.command),
            done=lambda image: Answered(
                session, messages.CommandDone(command=command.command, image_id=image)
            ),
            failed=lambda error: Answered(session, _failure(command.command, error)),
        )

    def serve(self, request: messages.OpenStream, member: Member | None) -> None:
        """Dial the stream that the master asks for."""
        work = streams.serve(
            request,
            host=self._host,
            dialer=self._dialer,
            replica=member.record.replica if member is not None else None,
            status=member.status if member is not None else None,
        )
        self._run(work, key=("stream", request.stream), what="a stream")

    def remove_network(self, project: str) -> None:
        """Nobody of the project is left on this node."""
        work = steps.remove_network(self._host, project)
        self._run(work, key=("network", project), what=f"removing the network of {project}")

    def remove_orphan(self, container: ContainerSummary) -> None:
        """Nobody has this container."""
        work = steps.remove_orphan(self._host, container.id)
        self._run(work, key=container.id, what=f"removing orphan {container.name}")

    def removes(self, container: ContainerSummary) -> bool:
        """Whether that is going on."""
        return self._context.busy(container.id)

    def _run(self, work: Coroutine[Any, Any, object], *, key: Hashable, what: str) -> None:
        self._context.start(
            work,
            key=key,
            done=lambda _: Ended(what),
            failed=lambda error: Ended(what, error.message),
        )


def _failure(command: CommandId, error: errors.OrcaError) -> messages.CommandDone:
    return messages.CommandDone(
        command=command, error_kind=error.kind, error=error.message, hint=error.hint
    )

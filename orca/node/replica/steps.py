"""What a replica does that touches the engine (`tasks.py`). Each is one coroutine with one outcome.

Deciding which comes next is `decide.py`'s. Every step can be repeated: what an earlier, interrupted
try left behind is found by label and used or removed. All have a bound: an engine that accepts a call and
never answers must not hold a replica for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, assert_never

from orca import errors
from orca.model.container import PullPolicy, VolumeMount
from orca.model.ids import ReplicaId
from orca.model.replica import Replica
from orca.node import archive, naming
from orca.node.host import Host
from orca.node.record import ReplicaRecord
from orca.node.replica.tasks import (
    Ask,
    Find,
    Halt,
    Inspect,
    Interrupt,
    Make,
    Pull,
    ReadLines,
    Seen,
    SettleName,
    Start,
    Work,
)
from orca.node.runtime import LOG_LAG_SECONDS, Container, ContainerRequest, LogQuery
from orca.rpc.messages import Assignment, ResolveImage
from orca.telemetry import traces

LAST_LINES = 10
LINE_CHARACTERS_MAX = 500
START_SECONDS = 60.0
LOOK_SECONDS = 15.0
LOGS_SECONDS = 10.0
STOP_MARGIN_SECONDS = 40.0


@asynccontextmanager
async def _bounded(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise errors.ContainerError(
            f"Docker did not {what} within {seconds:.0f} s",
            hint="see Docker's log (`journalctl -u docker`); its storage or runtime may be stuck",
        ) from error


@contextmanager
def _traced(name: str, trace: str, **attributes: str) -> Iterator[None]:
    """A span of the deploy that the step belongs to; nothing when it belongs to none."""
    if not trace:
        yield
        return
    facts = {f"orca.{key}": value for key, value in attributes.items()}
    with traces.span(name, parent=trace, attributes=facts):
        yield


def take(host: Host, work: Work) -> Coroutine[Any, Any, Any]:
    """The coroutine that does what `work` says."""
    match work:
        case Find():
            return survey(host, work.replica)
        case Inspect():
            return survey(host, work.replica, container=work.container)
        case Pull():
            return pull(host, work.assignment, trace=work.trace)
        case Make():
            return make(host, work.assignment, work.image, trace=work.trace)
        case Start():
            return begin(host, work)
        case Interrupt():
            return interrupt(host, work.container, grace_seconds=work.grace_seconds)
        case Halt():
            return halt(host, work.record)
        case ReadLines():
            return last_lines(host, work.container, since=work.since)
        case SettleName():
            return settle_name(host, work.replica, work.container)
        case Ask():
            return ask(host, work)
        case _:
            assert_never(work)


async def resolve(host: Host, command: ResolveImage) -> str:
    """The id of the image that a reference means now; pulled where the policy says so."""
    with _traced("resolve image", command.trace, node=host.node, image=command.image):
        return await host.runtime.resolve_image(command.image, pull=command.pull)


async def find(host: Host, replica: ReplicaId) -> Container | None:
    """The replica's container, by label; a leftover beside it is removed."""
    async with _bounded(LOOK_SECONDS, "list containers"):
        mine = naming.ours(cluster=host.cluster, node=host.node)
        found = await host.runtime.list({**mine, naming.REPLICA: replica})
        ranked = sorted(found, key=lambda each: not each.running)
        for spare in ranked[1:]:
            await host.runtime.remove(spare.id)
        return await host.runtime.inspect(ranked[0].id) if ranked else None


async def look(host: Host, container: str) -> Container | None:
    """Inspect a container that is known."""
    async with _bounded(LOOK_SECONDS, "look at a container"):
        return await host.runtime.inspect(container)


async def survey(host: Host, replica: ReplicaId, *, container: str = "") -> Seen:
    """What there is of a replica on the host; looks for its container when none is named."""
    found = await (look(host, container) if container else find(host, replica))
    return Seen(found, secret_files=host.secrets.exist(replica))


async def pull(host: Host, assignment: Assignment, *, trace: str = "") -> str:
    """Have the revision's exact image on the host; what it means was resolved before."""
    spec = assignment.container
    policy = PullPolicy.NEVER if spec.pull is PullPolicy.NEVER else PullPolicy.IF_MISSING
    with _traced("pull image", trace, node=host.node, replica=assignment.replica.id):
        return await host.runtime.resolve_image(spec.image_id or spec.image, pull=policy)


async def make(host: Host, assignment: Assignment, image: str, *, trace: str = "") -> Container:
    """Create the container under the best name that is free."""
    with _traced("create container", trace, node=host.node, replica=assignment.replica.id):
        return await _make(host, assignment, image)


async def _make(host: Host, assignment: Assignment, image: str) -> Container:
    replica = assignment.replica
    secrets = ""
    if assignment.secret_files:
        secrets = str(host.secrets.write(replica.id, assignment.secret_files))
    for name in await _names(host, assignment):
        request = _request(host, assignment, image, name=name, secrets=secrets)
        try:
            async with _bounded(START_SECONDS, "create the container"):
                made = await host.runtime.create(request)
                found = await host.runtime.inspect(made)
        except errors.Conflict:
            continue
        if found is not None:
            return found
    raise errors.ContainerError(f"no container name is free for {replica.id}")


async def _names(host: Host, assignment: Assignment) -> tuple[str, ...]:
    """Names to try in turn. The second choice is for strangers only: an old holder leaves soon."""
    replica = assignment.replica
    newcomer = naming.newcomer(replica)
    if not assignment.settled_name:
        return (newcomer,)
    first, second = naming.settled(replica)
    async with _bounded(LOOK_SECONDS, "look for the holder of a name"):
        holder = await host.runtime.inspect(first)
    if holder is not None and naming.same_slot(replica, holder.labels, cluster=host.cluster):
        return (newcomer,)
    return (first, second, newcomer)


def _request(
    host: Host, assignment: Assignment, image: str, *, name: str, secrets: str
) -> ContainerRequest:
    project = assignment.replica.service.project
    return ContainerRequest(
        name=name,
        image=image,
        spec=assignment.container,
        labels=naming.labels(assignment, cluster=host.cluster, node=host.node),
        networks=(naming.network(project, assignment.container),),
        owner=naming.owner(cluster=host.cluster, project=project),
        aliases=naming.aliases(assignment),
        volumes=tuple(
            VolumeMount(
                source=naming.volume(project, each.source),
                target=each.target,
                read_only=each.read_only,
            )
            for each in assignment.container.volumes
        ),
        secrets_directory=secrets,
    )


async def begin(host: Host, start: Start) -> Container:
    """Start a container and look at it. Raises `NotFound` when it vanished."""
    record, container = start.record, start.container
    if start.secret_files:
        # A reboot of the host took them away.
        host.secrets.write(record.replica.id, start.secret_files)
    with _traced("start container", start.trace, node=host.node, replica=record.replica.id):
        async with _bounded(START_SECONDS, "start the container"):
            if start.again:
                await _mend_network(host, record)
            await host.runtime.start(container)
            found = await host.runtime.inspect(container)
    if found is None:
        raise errors.NotFound(f"container {container[:12]} vanished while it started")
    return found


async def _mend_network(host: Host, record: ReplicaRecord) -> None:
    """While nothing ran, somebody may have pruned the network."""
    project = record.replica.service.project
    owner = naming.owner(cluster=host.cluster, project=project)
    await host.runtime.ensure_network(naming.network(project, record.container), labels=owner)


async def interrupt(host: Host, container: str, *, grace_seconds: float) -> Container | None:
    """End a run that must not go on, keeping the container."""
    async with _bounded(grace_seconds + STOP_MARGIN_SECONDS, "stop the container"):
        await host.runtime.stop(container, grace_seconds=grace_seconds)
        return await host.runtime.inspect(container)


async def ask(host: Host, question: Ask) -> str:
    """Ask a probe; returns why it failed, or nothing."""
    container = question.container
    return await host.prober.ask(
        question.probe, container=container.id, address=container.address, port=question.port
    )


async def last_lines(host: Host, container: Container, *, since: float) -> tuple[str, ...]:
    """The end of what a run wrote; `since` is the end of the run before it, or 0."""
    query = LogQuery(
        tail=LAST_LINES,
        since=since and since + LOG_LAG_SECONDS,
        until=0.0 if container.running else container.finished_at + LOG_LAG_SECONDS,
    )
    async with _bounded(LOGS_SECONDS, "read the log"):
        outputs = await archive.collect(host.runtime.logs(container.id, query))
    text = b"".join(output.data for output in outputs).decode(errors="replace")
    return tuple(line[:LINE_CHARACTERS_MAX] for line in text.splitlines()[-LAST_LINES:])


async def halt(host: Host, record: ReplicaRecord) -> None:
    """Stop the replica, keep the end of its log, remove its container and its secrets."""
    replica = record.replica
    grace = record.container.stop_grace_seconds
    mine = naming.ours(cluster=host.cluster, node=host.node)
    async with _bounded(LOOK_SECONDS, "list containers"):
        found = await host.runtime.list({**mine, naming.REPLICA: replica.id})
    for each in found:
        async with _bounded(grace + STOP_MARGIN_SECONDS, "stop the container"):
            await host.runtime.stop(each.id, grace_seconds=grace)
        await _keep_log(host, replica, each.id)
        async with _bounded(START_SECONDS, "remove the container"):
            await host.runtime.remove(each.id)
    host.secrets.remove(replica.id)


async def _keep_log(host: Host, replica: Replica, container: str) -> None:
    try:
        async with _bounded(LOGS_SECONDS, "read the log"):
            query = LogQuery(tail=20_000, timestamps=True)
            outputs = await archive.collect(host.runtime.logs(container, query))
    except (errors.NotFound, errors.ContainerError):
        # Somebody removed it, or its log cannot be read: not worth keeping the container for.
        return
    if outputs:
        host.archive.store(replica, outputs)


async def remove_orphan(host: Host, container: str, *, grace_seconds: float = 10.0) -> None:
    """Stop and remove a container of this node that nobody wants any more."""
    async with _bounded(grace_seconds + STOP_MARGIN_SECONDS, "stop an orphan"):
        await host.runtime.stop(container, grace_seconds=grace_seconds)
        await host.runtime.remove(container)


async def settle_name(host: Host, replica: Replica, container: Container) -> str:
    """Give the container its slot's name; returns the name it has, or nothing while it must wait."""
    async with _bounded(LOOK_SECONDS, "rename the container"):
        for name in naming.settled(replica):
            if container.name == name:
                return name
            try:
                await host.runtime.rename(container.id, name)
            except errors.Conflict:
                holder = await host.runtime.inspect(name)
                if holder is None or naming.same_slot(replica, holder.labels, cluster=host.cluster):
                    return ""
                continue
            return name
        return container.name


async def remove_network(host: Host, project: str) -> None:
    """Remove a project's network unless something uses it."""
    owner = naming.owner(cluster=host.cluster, project=project)
    async with _bounded(LOOK_SECONDS, "remove a network"):
        await host.runtime.remove_network_if_unused(naming.project_network(project), labels=owner)

"""What each route does: a few words to the control plane, and the shape of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

from orca.client import schema
from orca.master.api import queries
from orca.master.api.call import Answer, Call, Events, Json, Lines, NoBody, Socket, Text
from orca.master.api.iterators import closing
from orca.master.control import LogsQuery
from orca.model.ids import ReplicaId
from orca.rpc.messages import ExecRequest
from orca.rpc.session import ChunkStream
from orca.telemetry import metrics as metrics_format

_NOT_READY = 503


async def health(call: Call[queries.Query, NoBody]) -> Answer:
    body = call.control.health()
    return Json(body=body, status=200 if body.ready else _NOT_READY)


async def metrics(call: Call[queries.Query, NoBody]) -> Answer:
    return Text(data=call.render_metrics(), content_type=metrics_format.CONTENT_TYPE)


async def openapi(call: Call[queries.Query, NoBody]) -> Answer:
    return Text(data=call.openapi(), content_type="application/json; charset=utf-8")


# --- observing ------------------------------------------------------------------------------------


async def info(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.info()


async def status(call: Call[queries.StatusQuery, NoBody]) -> Answer:
    project, service = call.query.project, call.query.service
    if call.streaming or call.query.watch:
        watched = call.control.watch_status(project=project, service=service)
        return Events(name="status", items=watched)
    return call.control.status(project=project, service=service)


async def rollouts(call: Call[queries.RolloutsQuery, NoBody]) -> Answer:
    wanted = call.query.wanted
    views = call.control.watch_rollouts(wanted)
    if call.streaming:
        return Events(name="rollout", items=views)
    return await _first_of_each(views, wanted)


async def _first_of_each(
    views: AsyncIterator[schema.RolloutView], wanted: tuple[str, ...]
) -> schema.Rollouts:
    """The present state of each rollout: what a watch begins with."""
    found: dict[str, schema.RolloutView] = {}
    async with closing(views):
        async for view in views:
            found.setdefault(view.id, view)
            if len(found) == len(wanted):
                break
    return schema.Rollouts(rollouts=tuple(found[id_] for id_ in wanted if id_ in found))


async def history(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.history(call.service)


async def why(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.why(call.service)


async def logs(call: Call[queries.LogsParameters, NoBody]) -> Answer:
    query = LogsQuery(**call.query.model_dump())
    return Lines(items=call.control.logs(call.service, query))


async def events(call: Call[queries.EventsQuery, NoBody]) -> Answer:
    query = call.query
    if call.streaming or query.follow:
        after = max(query.after, call.resume_after)
        watched = call.control.watch_events(after=after, service=query.service)
        return Events(name="event", items=watched, sequence=lambda event: event.sequence)
    return await call.control.events(after=query.after, service=query.service, limit=query.limit)


# --- changing -------------------------------------------------------------------------------------


async def plan(call: Call[queries.Query, schema.DeployRequest]) -> Answer:
    return await call.control.plan(call.body, by=call.by)


async def deploy(call: Call[queries.Query, schema.DeployRequest]) -> Answer:
    return await call.control.deploy(call.body, by=call.by)


async def scale(call: Call[queries.Query, schema.ScaleRequest]) -> Answer:
    return await call.control.scale(call.service, call.body.replicas, by=call.by)


async def restart(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.restart(call.service, by=call.by)


async def rollback(call: Call[queries.Query, schema.RollbackRequest]) -> Answer:
    return await call.control.rollback(call.service, call.body.to, by=call.by)


async def stop(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.stop((call.service,), by=call.by)


async def start(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.start((call.service,), by=call.by)


async def stop_services(call: Call[queries.Query, schema.Selection]) -> Answer:
    return await call.control.stop(call.body.services, by=call.by)


async def start_services(call: Call[queries.Query, schema.Selection]) -> Answer:
    return await call.control.start(call.body.services, by=call.by)


async def remove_services(call: Call[queries.Query, schema.Selection]) -> Answer:
    return await call.control.remove(call.body.services, by=call.by)


async def stop_all(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.stop((), by=call.by)


async def start_all(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.start((), by=call.by)


async def remove(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.remove((call.service,), by=call.by)


async def remove_project(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.remove_project(call.path["project"], by=call.by)


async def execute(call: Call[queries.Query, NoBody]) -> Answer:
    async def opened(wish: schema.ExecOpen) -> ChunkStream:
        fields = wish.model_dump(exclude={"type", "replica"})
        request = ExecRequest(replica=ReplicaId(wish.replica), **fields)
        return await call.control.exec(call.service, request, by=call.by)

    return Socket(open=opened)


# --- secrets and configuration --------------------------------------------------------------------


async def secrets(call: Call[queries.ProjectQuery, NoBody]) -> Answer:
    return await call.control.secrets(project=call.query.project)


async def set_secret(call: Call[queries.Query, schema.SecretValue]) -> Answer:
    values = {call.path["name"]: call.body.value}
    return await call.control.set_secrets(values, project=call.body.project, by=call.by)


async def import_secrets(call: Call[queries.Query, schema.SecretImport]) -> Answer:
    body = call.body
    return await call.control.set_secrets(body.values, project=body.project, by=call.by)


async def remove_secret(call: Call[queries.ProjectQuery, NoBody]) -> Answer:
    name, project = call.path["name"], call.query.project
    return await call.control.remove_secret(name, project=project, by=call.by)


async def secret_usages(call: Call[queries.ProjectQuery, NoBody]) -> Answer:
    return await call.control.secret_usages(call.path["name"], project=call.query.project)


async def reload(call: Call[queries.Query, NoBody]) -> Answer:
    return await call.control.reload(by=call.by)

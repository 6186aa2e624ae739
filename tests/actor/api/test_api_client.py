"""`OrcaClient` against the real application: what goes in comes out, errors included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orca import errors
from orca.client import schema
from orca.client.http import OrcaClient
from orca.client.settings import ClientSettings
from orca.master.api.routes import TABLE
from orca.master.control import Role
from orca.testing.api_site import TOKENS, Site, deploy_of, spec


def kinds(root: type[errors.OrcaError] = errors.OrcaError) -> Iterator[type[errors.OrcaError]]:
    yield root
    for child in root.__subclasses__():
        yield from kinds(child)


def error_of(cls: type[errors.OrcaError]) -> errors.OrcaError:
    if issubclass(cls, errors.InvalidConfig):
        return cls(("a.toml:1:1: no\n  | line", "b.toml:2:1: neither"), hint="Mend both.")
    return cls(f"What {cls.__name__} says: “ünï”.", hint="Do this.")


@pytest.mark.parametrize("cls", list(kinds()), ids=lambda cls: cls.__name__)
async def test_error_arrives_as_what_it_was(
    site: Site, client: OrcaClient, cls: type[errors.OrcaError]
) -> None:
    raised = site.control.fail_with = error_of(cls)
    with pytest.raises(errors.OrcaError) as caught:
        await client.deploy(deploy_of())
    assert type(caught.value) is cls
    assert caught.value.message == raised.message
    assert caught.value.hint == raised.hint or cls is errors.Unauthenticated
    if isinstance(raised, errors.InvalidConfig):
        assert isinstance(caught.value, errors.InvalidConfig)
        assert caught.value.problems == raised.problems


async def test_unauthenticated_client_is_told_where_tokens_are(site: Site) -> None:
    client = await site.client(token="wrong")
    with pytest.raises(errors.Unauthenticated) as caught:
        await client.status()
    assert "ORCA_TOKEN" in caught.value.hint
    assert "cluster.token" in caught.value.hint


async def test_client_without_a_token_is_not_sent_to_a_file_that_is_not_there(
    site: Site, tmp_path: Path
) -> None:
    async with OrcaClient(ClientSettings(url=site.server.url, home=tmp_path)) as client:
        with pytest.raises(errors.Unauthenticated, match="needs a token") as caught:
            await client.status()
    assert caught.value.hint.startswith(f"There is none in {tmp_path}: set ORCA_TOKEN")


async def test_role_too_low_is_named(site: Site) -> None:
    client = await site.client(token=TOKENS[Role.VIEWER])
    with pytest.raises(errors.Forbidden, match=r"viewer.*deployer"):
        await client.deploy(deploy_of())


async def test_service_lives_through_all_routes(site: Site, client: OrcaClient) -> None:
    assert (await client.plan(deploy_of())).services[0].action == "create"
    deployed = (await client.deploy(deploy_of())).deployed[0]
    assert (deployed.service, deployed.revision) == ("shop/web", 1)
    assert (await client.deploy(deploy_of())).unchanged == ("shop/web",)
    await client.deploy(deploy_of(spec(image="nginx:2")))
    assert (await client.rollback("web")).revision == 3
    assert (await client.scale("shop/web", 4)).action == "scale"
    assert (await client.status(service="shop/web")).services[0].replicas == 4
    assert (await client.restart("shop/web")).action == "restart"
    assert (await client.stop("shop/web")).deployed[0].action == "stop"
    assert (await client.status(project="shop")).services[0].status == "stopped"
    assert (await client.start("shop/web")).deployed[0].action == "start"
    assert [e.revision for e in (await client.history("web")).entries] == [3, 2, 1]
    assert (await client.why("web")).summary == "It is running."
    assert (await client.stop_all()).deployed[0].action == "stop"
    assert (await client.start_all()).deployed[0].action == "start"
    assert (await client.stop_services(["web"])).deployed[0].action == "stop"
    assert (await client.start_services(["web"])).deployed[0].action == "start"
    assert (await client.remove("shop/web")).deployed[0].action == "remove"
    await client.deploy(deploy_of())
    assert (await client.remove_services(["shop/web"])).deployed[0].action == "remove"
    await client.deploy(deploy_of())
    assert (await client.remove_project("shop")).deployed[0].service == "shop/web"
    assert (await client.status()).services == ()


async def test_secret_values_are_kept_and_never_sent_back(site: Site, client: OrcaClient) -> None:
    await client.set_secret("A", "hunter2")
    listed = await client.import_secrets({"B": "hunter3"}, project="shop")
    assert [(one.name, one.project) for one in listed.secrets] == [("A", ""), ("B", "shop")]
    assert "hunter" not in listed.model_dump_json()
    assert site.control.kept == {("", "A"): "hunter2", ("shop", "B"): "hunter3"}
    await client.deploy(deploy_of(spec(env={"X": "${secrets.A}"})))
    assert (await client.secret_usages("A")).usages[0].place == "env.X"
    with pytest.raises(errors.Conflict):
        await client.remove_secret("A")
    await client.remove_secret("B", project="shop")
    assert [one.name for one in (await client.secrets()).secrets] == ["A"]


async def test_facts_need_no_more_than_a_viewer(site: Site) -> None:
    client = await site.client(token=TOKENS[Role.VIEWER])
    assert (await client.info()).cluster == "fake"
    assert "orca_api_requests_total" in await client.metrics()
    assert json.loads(await client.openapi())["openapi"].startswith("3.1")


async def test_health_answers_without_token_and_when_not_ready(site: Site) -> None:
    client = await site.client(token="")
    assert (await client.health()).ready
    site.control.ready = False
    health = await client.health()
    assert (health.ready, health.reasons) == (False, ("store_unavailable",))


async def test_reload_says_what_changed(client: OrcaClient) -> None:
    assert (await client.reload()).changed == ("cluster.log_level",)


async def test_plan_that_is_out_of_date_is_a_conflict(client: OrcaClient) -> None:
    request = schema.DeployRequest(services=(spec(),), expect={"shop/web": 99})
    with pytest.raises(errors.Conflict, match="shop/web"):
        await client.deploy(request)


async def test_every_number_of_replicas_out_of_range_is_refused_before_sending(
    client: OrcaClient,
) -> None:
    for replicas in (-1, 1001):
        with pytest.raises(errors.UserError, match=str(replicas)):
            await client.scale("web", replicas)
    with pytest.raises(errors.UserError, match="revision"):
        await client.rollback("web", -1)


async def test_project_whose_name_needs_escaping_reaches_the_control_plane(
    client: OrcaClient,
) -> None:
    with pytest.raises(errors.NotFound, match=r"a/b%2F c\?"):
        await client.remove_project("a/b%2F c?")


async def test_no_server_is_said_with_its_address(unused_url: str) -> None:
    async with OrcaClient(ClientSettings(url=unused_url, token="x")) as client:
        with pytest.raises(errors.NoServer, match=unused_url) as caught:
            await client.status()
    assert "orca server -d" in caught.value.hint


async def test_answer_that_takes_too_long_is_a_deadline(site: Site) -> None:
    site.control.hold = asyncio.Event()
    client = await site.client(timeout_seconds=0.05)
    with pytest.raises(errors.DeadlineExceeded, match="POST /deploy"):
        await client.deploy(deploy_of())
    site.control.hold.set()


async def test_something_else_on_the_port_is_recognized(other_server: str) -> None:
    async with OrcaClient(ClientSettings(url=other_server, token="x")) as client:
        with pytest.raises(errors.Unavailable, match="not orca"):
            await client.status()
        with pytest.raises(errors.Unavailable, match="not orca"):
            await anext(client.watch_events())
        with pytest.raises(errors.Unavailable):
            await client.exec("web", schema.ExecOpen(command=("sh",)))


async def test_client_outside_of_its_block_says_how_to_use_it() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await OrcaClient(ClientSettings()).status()


def test_client_has_a_method_for_every_handler() -> None:
    renamed = {"execute": "exec"}
    missing = [
        route.handler.__name__
        for route in TABLE
        if not hasattr(OrcaClient, renamed.get(route.handler.__name__, route.handler.__name__))
    ]
    assert missing == []

"""What bodies look like as text. Nothing here knows a terminal."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from rich.text import Text

from orca.cli.render import grid, logs, outcome, plan, records, rollout, status, why
from orca.cli.results import Outcome
from orca.client import schema

NOW = 1000.0


def replica(slot: int, **more: Any) -> schema.ReplicaView:
    facts: dict[str, Any] = {
        "id": f"r{slot}",
        "slot": slot,
        "revision": 4,
        "node": "host1",
        "state": "running",
        "ready": True,
        "desired": "running",
        "container_id": "0123456789abcdef",
        "started_at": NOW - 600,
    }
    return schema.ReplicaView(**(facts | more))


def service(**more: Any) -> schema.ServiceStatus:
    facts: dict[str, Any] = {
        "name": "web",
        "project": "shop",
        "status": "running",
        "replicas": 2,
        "desired_replicas": 2,
        "running_replicas": 2,
        "ready_replicas": 2,
        "image": "web:1",
        "revision": 4,
        "stable_revision": 4,
        "instances": (replica(0), replica(1)),
    }
    return schema.ServiceStatus(**(facts | more))


def shown(*services: schema.ServiceStatus, wide: bool = False, **more: Any) -> str:
    response = schema.StatusResponse(cluster="c", services=services, **more)
    return status.status(response, now=NOW, wide=wide).plain


def row(text: str, first: str) -> list[str]:
    """The cells of the row that begins with `first`."""
    line = next(line for line in text.splitlines() if line.startswith(first))
    return [cell.strip() for cell in line.split("   ") if cell.strip()]


ROLLOUT = schema.RolloutView(
    id="1",
    service="shop/web",
    phase="progressing",
    revision=4,
    from_revision=3,
    desired=2,
    updated=1,
    ready=0,
    old=2,
)


# --- status ---------------------------------------------------------------------------------------


COMPLETE = ROLLOUT.model_copy(update={"phase": "complete"})
STOPPED = {"status": "stopped", "replicas": 0, "ready_replicas": 0, "instances": ()}
SILENT = (replica(0, age_seconds=3.0), replica(1, age_seconds=12.0))


@pytest.mark.parametrize(
    ("more", "cells"),
    [
        ({}, "running | 2/2 | web:1 | 4 | - | 10 min"),
        (
            {"urls": ("http://a", "http://b")},
            "running | 2/2 | web:1 | 4 | http://a http://b | 10 min",
        ),
        ({"status": "failed", "ready_replicas": 0}, "failed | 0/2 | web:1 | 4 | - | 10 min"),
        (STOPPED, "stopped | 0/0 | web:1 | 4 | - | -"),
        (
            {"status": "progressing", "rollout": ROLLOUT},
            "progressing | 2/2 | web:1 | 3 → 4 | - | 10 min",
        ),
        ({"rollout": COMPLETE}, "running | 2/2 | web:1 | 4 | - | 10 min"),
        (
            {"status": "unknown", "instances": SILENT},
            "unknown (confirmed 12 s ago) | 2/2 | web:1 | 4 | - | 10 min",
        ),
    ],
)
def test_service_is_one_row(more: dict[str, Any], cells: str) -> None:
    assert " | ".join(row(shown(service(**more)), "shop/web")) == f"shop/web | {cells}"


def test_services_are_sorted_by_project_and_name() -> None:
    text = shown(service(name="b"), service(name="a"), service(project="a", name="z"))
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["a/z", "shop/a", "shop/b"]


@pytest.mark.parametrize("state", ["degraded", "failed"])
def test_reason_of_what_is_not_well_stands_below_the_table(state: str) -> None:
    text = shown(service(status=state, reason="exit code 3"))
    assert text.endswith("\n\nshop/web: exit code 3\n  more: orca why shop/web")


def test_reason_of_a_failed_rollout_is_shown_when_the_service_has_none() -> None:
    failed = ROLLOUT.model_copy(update={"phase": "failed", "reason": "never ready"})
    assert "shop/web: never ready" in shown(service(status="degraded", rollout=failed))


def test_reason_of_what_runs_or_was_stopped_is_not_shown() -> None:
    text = shown(service(reason="x1"), service(name="old", status="stopped", reason="x2"))
    assert "x1" not in text
    assert "x2" not in text


def test_wide_status_has_replicas_nodes_and_proxies() -> None:
    crashing = replica(
        1,
        state="failed",
        ready=False,
        restarts=7,
        reason="exit code 3",
        oom_killed=True,
        next_restart_at=NOW + 10,
        address="172.17.0.3:80",
    )
    text = shown(
        service(instances=(replica(0), crashing)),
        wide=True,
        nodes=(
            schema.NodeStatus(id="n", name="host1", status="ready", cpus=2, memory_bytes=2**33),
        ),
        proxies=(schema.ProxyStatus(id="p", name="host1", status="ready", version=3),),
    )
    assert " | ".join(row(text, "shop/web/1")) == (
        "shop/web/1 | failed | no | 4 | 7 | host1 | 0123456789ab | 172.17.0.3:80 | 10 min | "
        "exit code 3, out of memory, restarts in 10 s"
    )
    assert (
        "NODE    STATUS   CPUS   MEMORY    DOCKER   REASON\nhost1   ready    2      8.0 GiB   -\n"
        in text
    )
    assert "PROXY   STATUS   VERSION   REASON\nhost1   ready    3" in text


def test_silent_replica_is_unknown_with_its_age() -> None:
    silent = replica(0, state="unknown", age_seconds=90.0)
    assert "unknown (confirmed 1 min ago)" in shown(service(instances=(silent,)), wide=True)


def test_node_or_proxy_that_is_not_well_is_named_in_every_status() -> None:
    text = shown(
        nodes=(
            schema.NodeStatus(id="a", name="host1", status="docker_down", reason="no answer"),
            schema.NodeStatus(id="b", name="host2", status="unknown", age_seconds=30),
        ),
        proxies=(schema.ProxyStatus(id="p", name="host1", status="rejected", reason="bad route"),),
    )
    assert "node host1: docker_down, no answer" in text
    assert "node host2: unknown (confirmed 30 s ago)" in text
    assert "proxy host1: rejected, bad route" in text


def test_status_right_after_a_start_says_that_it_is_not_complete() -> None:
    assert shown(service(), settled=False).startswith("The server has just started")


@pytest.mark.parametrize(
    ("states", "settled", "all_running"),
    [
        ((), True, True),
        (("running", "stopped"), True, True),
        (("running", "degraded"), True, False),
        (("progressing",), True, False),
        (("unknown",), True, False),
        (("running",), False, False),
    ],
)
def test_all_running_means_that_everything_wanted_runs(
    states: tuple[str, ...], settled: bool, all_running: bool
) -> None:
    services = tuple(service(status=state) for state in states)
    response = schema.StatusResponse(cluster="c", services=services, settled=settled)
    assert status.is_all_running(response) is all_running


# --- plan -----------------------------------------------------------------------------------------


def planned(action: str, **more: Any) -> schema.ServicePlan:
    facts: dict[str, Any] = {"service": f"shop/{action}", "action": action, "revision": 2}
    return schema.ServicePlan(**(facts | {"replicas_after": 1} | more))


def test_plan_nests_changes_and_steps_below_their_service() -> None:
    body = schema.PlanResponse(
        services=(
            planned(
                "update",
                replicas_before=1,
                replicas_after=2,
                order="start-first",
                changes=(
                    schema.Change(field="container.image", before="web:1", after="web:2"),
                    schema.Change(field="container.env.A", after="x"),
                    schema.Change(field="domain", before="a.example"),
                ),
                steps=("pull web:2",),
            ),
            planned("unchanged"),
        ),
        unmanaged=("shop/legacy",),
        warnings=("web:2 is large",),
    )
    assert plan.plan(body).plain == (
        "~ shop/update  update  revision 2, 1 → 2 replicas, start-first\n"
        "    container.image   web:1       →   web:2\n"
        "    container.env.A   -           →   x\n"
        "    domain            a.example   →   -\n"
        "    pull web:2\n"
        "\n"
        "Left alone, because not part of this deploy: shop/legacy\n"
        "\n"
        "warning: web:2 is large\n"
        "\n"
        "Plan: 1 to update, 1 unchanged."
    )


@pytest.mark.parametrize(
    ("actions", "summary"),
    [
        (("create",), "Plan: 1 to create."),
        (
            ("unchanged", "create", "update", "create"),
            "Plan: 2 to create, 1 to update, 1 unchanged.",
        ),
        (("retry", "scale"), "Plan: 1 to scale, 1 to retry."),
        (("unchanged",), "Nothing to change: 1 service already as configured."),
        (("unchanged", "unchanged"), "Nothing to change: 2 services already as configured."),
    ],
)
def test_plan_is_summed_up(actions: tuple[str, ...], summary: str) -> None:
    body = schema.PlanResponse(services=tuple(planned(action) for action in actions))
    assert plan.summary(body).plain == summary


# --- rollouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "progressing  revision 4, 0/2 ready, 2 old replicas left"),
        (
            {"old": 1, "waiting": "slot 0"},
            "progressing  revision 4, 0/2 ready, 1 old replica left, slot 0",
        ),
        (
            {"old": 0, "ready": 2, "phase": "complete", "waiting": "x"},
            "complete  revision 4, 2/2 ready",
        ),
        (
            {"old": 0, "phase": "failed", "reason": "crash"},
            "failed  revision 4, 0/2 ready, crash",
        ),
    ],
)
def test_progress_is_one_line(more: dict[str, Any], line: str) -> None:
    assert rollout.progress(ROLLOUT.model_copy(update=more)).plain == f"shop/web  {line}"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "Revision 3 still serves (2 replicas)."),
        ({"old": 0}, "No replica of revision 3 is left."),
        ({"from_revision": 0, "old": 0}, "Nothing served before, so nothing serves now."),
    ],
)
def test_failure_says_what_still_serves(more: dict[str, Any], sentence: str) -> None:
    assert rollout.still_serves(ROLLOUT.model_copy(update=more)) == sentence


def test_failure_shows_last_lines_without_their_escape_sequences() -> None:
    lines = ("\x1b[31mred\x1b[0m", "\x1b]0;title\x07x")
    failed = ROLLOUT.model_copy(update={"phase": "failed", "last_lines": lines})
    text = rollout.failed(failed).plain
    assert "      | red\n" in text
    assert "\x1b" not in text


def test_outcome_has_a_line_for_everything_but_failures() -> None:
    good = ROLLOUT.model_copy(
        update={"phase": "complete", "ready": 2, "started_at": 1.0, "finished_at": 6.0}
    )
    bad = ROLLOUT.model_copy(update={"id": "2", "service": "shop/api", "phase": "failed"})
    result = Outcome(
        accepted=(
            schema.Accepted(service="shop/web", action="update", revision=4, rollout="1"),
            schema.Accepted(service="shop/api", action="update", revision=4, rollout="2"),
            schema.Accepted(service="shop/job", action="scale", revision=1),
        ),
        unchanged=("shop/db",),
        rollouts=(good, bad),
        urls={"shop/web": ("http://web",)},
    )
    assert outcome.outcome(result).plain == (
        "✓ shop/web  revision 4, 2/2 ready after 5 s  http://web\n"
        "✓ shop/job  scale, revision 1\n"
        "  shop/db  unchanged"
    )
    assert outcome.failures(result).plain.startswith("✗ shop/api  revision 4 failed")


def test_outcome_of_a_stop_says_that_it_stopped() -> None:
    stopped = ROLLOUT.model_copy(update={"phase": "complete", "desired": 0, "old": 0})
    assert rollout.succeeded(stopped).plain == "✓ shop/web  stopped"


# --- records --------------------------------------------------------------------------------------


def test_history_row_says_what_when_by_whom_and_how_it_ended() -> None:
    entry = schema.HistoryEntry(
        id="1",
        kind="deploy",
        revision=4,
        from_revision=3,
        image="web:2",
        at=NOW - 600,
        by="admin",
        outcome="failed",
        reason="crash",
        duration_seconds=12,
        current=True,
        stable=True,
    )
    text = records.history(schema.History(service="shop/web", entries=(entry,)), now=NOW).plain
    assert row(text, "4") == [
        "4 (current, stable)", "deploy", "failed", "web:2", "10 min ago", "12 s", "admin", "crash",
    ]  # fmt: skip


def test_history_of_nothing_is_a_sentence() -> None:
    body = schema.History(service="shop/web", entries=())
    assert records.history(body, now=NOW).plain == "shop/web was never deployed."


@pytest.mark.parametrize(
    ("level", "line"),
    [
        ("info", "1970-01-01 00:16:40  shop/web  started"),
        ("warning", "1970-01-01 00:16:40  shop/web  warning: started"),
    ],
)
def test_event_is_one_line(level: str, line: str) -> None:
    event = schema.EventView(
        sequence=1, at=NOW, kind="x", level=level, message="started", service="shop/web"
    )
    assert records.event(event, zone=UTC).plain == line


def test_secrets_are_listed_cluster_first_without_values() -> None:
    infos = tuple(
        schema.SecretInfo(name=name, project=project, version=2, updated_at=NOW - 60)
        for name, project in (("B", "shop"), ("A", ""))
    )
    text = records.secrets(schema.SecretList(secrets=infos), now=NOW).plain
    assert [line.split()[:2] for line in text.splitlines()[1:]] == [["A", "cluster"], ["B", "shop"]]


def test_usage_of_an_older_value_says_what_renews_it() -> None:
    usage = schema.SecretUsage(service="shop/web", place="env.A", current=False)
    text = records.usages(schema.SecretUsages(name="A", usages=(usage,))).plain
    assert row(text, "shop/web") == ["shop/web", "env.A", "older: redeploy to renew it"]


def test_secret_that_nobody_uses_is_a_sentence() -> None:
    assert records.usages(schema.SecretUsages(name="A", usages=())).plain == "No service uses A."


def test_why_goes_from_the_outermost_cause_inwards() -> None:
    body = schema.Why(
        service="shop/web",
        status="degraded",
        summary="1 of 2 replicas crashes.",
        causes=("revision 4 was deployed", "slot 1 exits with 3"),
        last_lines=("boom",),
        advice="orca rollback shop/web",
    )
    assert why.why(body).plain == (
        "shop/web  degraded  1 of 2 replicas crashes.\n"
        "\n"
        "└ revision 4 was deployed\n"
        "  └ slot 1 exits with 3\n"
        "\n"
        "Last output:\n"
        "  | boom\n"
        "\n"
        "→ orca rollback shop/web"
    )


# --- lines and grids ------------------------------------------------------------------------------


def test_log_line_of_a_single_replica_is_untouched() -> None:
    line = schema.LogLine(replica="a", slot=0, stream="stdout", line="\x1b[1mx\t ")
    assert logs.line(line, several=False) == "\x1b[1mx\t "


def test_log_line_of_one_of_several_replicas_begins_with_its_slot() -> None:
    line = schema.LogLine(replica="a", slot=3, stream="stdout", line="x")
    assert str(logs.line(line, several=True)) == "3 | x"


def test_grid_aligns_by_what_is_seen_and_leaves_no_blanks_at_line_ends() -> None:
    text = grid.grid(("A", "B"), [("漢字", "x"), (Text("long", style="red"), "")])
    assert text.plain == "A      B\n漢字   x\nlong"


def test_stack_leaves_empty_blocks_out() -> None:
    assert grid.stack(Text("a"), None, Text(""), Text("b")).plain == "a\n\nb"

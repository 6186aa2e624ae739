"""Every command against a real API: what it prints, what it asks of the server, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from orca import errors
from orca.cli import follow
from orca.client import schema
from orca.spec.service import ServiceSpec
from orca.telemetry import traceparent

if TYPE_CHECKING:
    from conftest import Api, Cli, Collector, Scripted

ESCAPE = "\x1b"


def deployed(control: Scripted, *names: str) -> None:
    """Services that are there already."""
    for name in names:
        spec = ServiceSpec.model_validate(
            {"name": name, "project": "shop", "image": f"registry.example/{name}:1"}
        )
        control._commit(spec, "create")


# --- deploy and plan ------------------------------------------------------------------------------


def test_deploy_shows_the_plan_and_ends_with_the_urls(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    control.urls = ("http://web.example",)
    done = cli("deploy", "web", "-y", "-C", str(root))
    assert done.code == 0, done.err
    assert f"config: {root}\n" in done.err
    assert "+ shop/web  create  revision 1" in done.err
    assert "Plan: 1 to create." in done.err
    assert "shop/web  progressing  revision 1, 0/1 ready, pulling the image\n" in done.err
    assert done.out == "✓ shop/web  revision 1, 1/1 ready after 10 s  http://web.example\n"
    assert [method for method, _ in control.calls] == ["plan", "deploy"]


def test_deploy_that_would_change_nothing_asks_nothing(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    assert cli("deploy", "-y", "-C", str(root)).code == 0
    done = cli("deploy", "-C", str(root))
    assert (done.code, done.out) == (0, "Nothing to change: 2 services already as configured.\n")
    assert [method for method, _ in control.calls].count("deploy") == 1


def test_deploy_without_a_terminal_and_without_yes_is_refused(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    done = cli("deploy", "-C", str(root), stdin="y\n")
    assert done.code == 2
    assert "hint: Say -y to agree beforehand." in done.err
    assert [method for method, _ in control.calls] == ["plan"]


def test_deploy_sends_the_versions_that_were_planned_from(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    deployed(control, "web")
    assert cli("deploy", "-y", "-C", str(root)).code == 0
    assert control.requests[0].expect == {"shop/web": 1, "shop/db": 0}


def test_deploy_is_one_trace(cli: Cli, api: Api, control: Scripted, root: Path) -> None:
    assert cli("deploy", "-y", "-C", str(root)).code == 0
    assert traceparent.parse(control.requests[0].trace) is not None


def test_deploy_sends_its_span_to_the_collector_of_the_configuration(
    cli: Cli, api: Api, control: Scripted, root: Path, collector: Collector
) -> None:
    (root / "cluster.toml").write_text(f'[observability]\notlp_endpoint = "{collector.url}"\n')
    assert cli("deploy", "-y", "-C", str(root)).code == 0
    # The API of these tests shares the process, so its spans come along: all of one trace.
    trace = traceparent.parse(control.requests[0].trace)
    assert trace
    assert "orca deploy" in {span.name for span in collector.spans}
    assert {span.trace_id.hex() for span in collector.spans} == {trace.trace_id}


def test_deploy_that_fails_says_cause_output_what_serves_and_what_next(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    control.script = [
        {
            "phase": "failed",
            "reason": "exit code 3",
            "last_lines": ("boom", "bye"),
            "revision": 2,
            "from_revision": 1,
            "old": 2,
        }
    ]
    done = cli("deploy", "web", "-y", "-C", str(root))
    assert done.code == 1
    assert "    cause: exit code 3\n" in done.err
    assert "      | boom\n      | bye\n" in done.err
    assert "Revision 1 still serves (2 replicas)." in done.err
    assert "orca logs shop/web --previous; orca why shop/web" in done.err
    assert "error: 1 of 1 rollout failed: shop/web: exit code 3" in done.err


def test_deploy_that_fails_is_one_object_on_each_stream_with_json(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    control.script = [{"phase": "failed", "reason": "exit code 3"}]
    done = cli("deploy", "web", "-y", "-C", str(root), "-o", "json")
    assert done.code == 1
    assert json.loads(done.out)["rollouts"][0]["phase"] == "failed"
    assert json.loads(done.err[done.err.index("{\n") :])["type"] == "rollout_failed"


def test_deploy_that_takes_longer_than_allowed_says_that_it_goes_on(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    control.script = [{"waiting": "readiness of slot 0"}]
    done = cli("deploy", "web", "-y", "-C", str(root), "--timeout", "0.3")
    assert done.code == 8
    assert "shop/web (revision 1, 0/1 ready, readiness of slot 0). The rollout goes on" in done.err
    assert control.rollouts["r1"].phase == "progressing"


def test_deploy_goes_on_watching_after_the_stream_broke(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    cli.monkeypatch.setattr(follow, "RECONNECT_PAUSE_SECONDS", 0.0)
    control.broken_watches = 3
    done = cli("deploy", "web", "-y", "-C", str(root))
    assert done.code == 0, done.err
    assert done.out.startswith("✓ shop/web  revision 1, 1/1 ready")


def test_deploy_whose_stream_stays_broken_says_that_it_goes_on(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    cli.monkeypatch.setattr(follow, "RECONNECT_PAUSE_SECONDS", 0.0)
    control.broken_watches = 1000
    done = cli("deploy", "web", "-y", "-C", str(root))
    assert done.code == 7
    assert "etcd is away. What was accepted goes on without being watched." in done.err
    assert 1000 - control.broken_watches == follow.RECONNECT_ATTEMPTS_MAX + 1


def test_deploy_detached_returns_while_the_rollout_goes_on(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    done = cli("deploy", "web", "-y", "--detach", "-C", str(root))
    assert done.code == 0
    assert done.out == "✓ shop/web  create, revision 1, goes on in the background\n"
    assert control.rollouts["r1"].phase == "progressing"


def test_deploy_detached_with_json_names_the_rollout(cli: Cli, api: Api, root: Path) -> None:
    done = cli("deploy", "-y", "--detach", "-o", "json", "-C", str(root))
    accepted = json.loads(done.out)["accepted"]
    assert {a["service"]: a["rollout"] for a in accepted} == {"shop/db": "r2", "shop/web": "r1"}


def test_deploy_of_broken_files_says_all_problems_and_asks_nothing_of_the_server(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    (root / "services/shop/service.toml").write_text(
        '[[service]]\nname = "web"\nimage = "x"\nprot = 1\n[[service]]\nname = "b"\nreplicas = -1\n'
    )
    done = cli("deploy", "-y", "-C", str(root))
    assert done.code == 2
    assert "services/shop/service.toml:4:1:" in done.err
    assert "services/shop/service.toml:7:" in done.err
    assert control.calls == []


def test_deploy_of_an_unknown_service_suggests_the_right_one(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    done = cli("deploy", "wbe", "-y", "-C", str(root))
    assert done.code == 5
    assert 'did you mean "web"?' in done.err
    assert control.calls == []


def test_deploy_warns_of_what_is_not_supported_for_chosen_services_only(
    cli: Cli, api: Api, root: Path
) -> None:
    file = root / "services/shop/service.toml"
    file.write_text(file.read_text() + '[service.deploy]\nstrategy = "canary"\n')
    assert "not supported yet" not in cli("plan", "web", "-C", str(root)).err
    done = cli("plan", "db", "-C", str(root))
    assert 'warning: shop/db: deploy.strategy = "canary": not supported yet' in done.err


def test_deploy_outside_any_configuration_says_where_it_looked(cli: Cli, tmp_path: Path) -> None:
    cli.monkeypatch.chdir(tmp_path)
    done = cli("deploy")
    assert done.code == 2
    assert "no configuration found" in done.err


def test_deploy_finds_the_configuration_upwards(cli: Cli, api: Api, root: Path) -> None:
    cli.monkeypatch.chdir(root / "services" / "shop")
    assert f"config: {root}\n" in cli("plan").err


def test_plan_changes_nothing_and_ends_with_zero(
    cli: Cli, api: Api, control: Scripted, root: Path
) -> None:
    done = cli("plan", "-C", str(root))
    assert done.code == 0
    assert done.out.endswith("Plan: 2 to create.\n")
    assert control.services == {}


def test_plan_says_by_exit_code_whether_something_would_change(
    cli: Cli, api: Api, root: Path
) -> None:
    assert cli("plan", "--exit-code", "-C", str(root)).code == 10
    cli("deploy", "-y", "-C", str(root))
    assert cli("plan", "--exit-code", "-C", str(root)).code == 0


def test_plan_of_a_project_holds_all_its_services(cli: Cli, api: Api, root: Path) -> None:
    done = cli("plan", "shop", "-o", "json", "-C", str(root))
    services = json.loads(done.out)["services"]
    assert {service["service"] for service in services} == {"shop/web", "shop/db"}


# --- status and the other readers -----------------------------------------------------------------


def test_status_of_nothing_says_what_to_do(cli: Cli, api: Api) -> None:
    assert cli("status").out == "No services. `orca deploy` brings some.\n"


@pytest.mark.parametrize("name", ["", "web", "shop/web", "shop"])
def test_status_takes_a_service_or_a_project(
    cli: Cli, api: Api, control: Scripted, name: str
) -> None:
    deployed(control, "web")
    done = cli("status", *([name] if name else []))
    assert done.code == 0
    assert "shop/web   running   1/1     registry.example/web:1" in done.out


@pytest.mark.parametrize("name", ["nothing", "shop/nothing"])
def test_status_of_what_is_neither_is_refused(
    cli: Cli, api: Api, control: Scripted, name: str
) -> None:
    deployed(control, "web")
    done = cli("status", name)
    assert (done.code, done.out) == (5, "")
    assert f"error: There is no service '{name}'." in done.err


def test_status_asked_for_readiness_answers_by_exit_code(
    cli: Cli, api: Api, control: Scripted
) -> None:
    deployed(control, "web")
    assert cli("status", "--ready").code == 0
    control.status = lambda **_: schema.StatusResponse(  # type: ignore[method-assign]
        cluster="fake", settled=False
    )
    assert cli("status", "--ready").code == 1


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_status_is_machine_readable(cli: Cli, api: Api, control: Scripted, form: str) -> None:
    deployed(control, "web")
    out = cli("status", "-o", form).out
    body = json.loads(out) if form == "json" else yaml.safe_load(out)
    assert schema.StatusResponse.model_validate(body).services[0].name == "web"


READERS = (
    ("status",),
    ("history", "web"),
    ("why", "web"),
    ("events",),
    ("secrets", "list"),
    ("secrets", "usages", "A"),
    ("version",),
)


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
@pytest.mark.parametrize("form", ["json", "yaml", "table"])
def test_reader_prints_every_format_without_colour_off_a_terminal(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...], form: str
) -> None:
    deployed(control, "web")
    control.kept["", "A"] = "value-nobody-may-see"
    done = cli(*arguments, "-o", form)
    assert done.code == 0, done.err
    if form != "table":
        assert isinstance(
            json.loads(done.out) if form == "json" else yaml.safe_load(done.out), dict
        )
    assert ESCAPE not in done.out + done.err
    assert "value-nobody-may-see" not in done.out + done.err


NAMING_A_SERVICE = (
    ("status", "nope"),
    ("history", "nope"),
    ("why", "nope"),
    ("logs", "nope"),
    ("exec", "nope", "--", "true"),
    ("restart", "nope"),
    ("restart", "web", "nope"),
    ("scale", "nope=2"),
    ("scale", "web=2", "nope=2"),
    ("stop", "web", "nope"),
    ("start", "nope"),
    ("rm", "nope", "-y"),
    ("rollback", "nope"),
    ("secrets", "usages", "NOPE"),
    ("secrets", "rm", "NOPE", "-y"),
)


@pytest.mark.parametrize("arguments", NAMING_A_SERVICE, ids=" ".join)
def test_what_does_not_exist_is_refused_and_nothing_is_changed(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...]
) -> None:
    deployed(control, "web")
    done = cli(*arguments)
    assert done.code == 5, done.err
    assert done.err.startswith("error: There is no ")
    assert len(control.rollouts) == 1


def test_history_marks_the_current_revision(cli: Cli, api: Api, control: Scripted) -> None:
    deployed(control, "web", "web")
    rows = cli("history", "web").out.splitlines()
    assert [row.split("  ")[0] for row in rows] == ["REVISION", "2 (current)", "1"]


def test_events_are_the_newest_oldest_first(cli: Cli, api: Api, control: Scripted) -> None:
    for number in range(3):
        control.emit(f"event {number}")
    out = cli("events", "--limit", "2").out
    assert [line.rsplit("  ", 1)[1] for line in out.splitlines()] == ["event 1", "event 2"]


def test_logs_go_where_they_went_in_the_container(cli: Cli, api: Api, control: Scripted) -> None:
    deployed(control, "web")
    control.log_lines = [
        schema.LogLine(replica="a", slot=0, stream="stdout", line="one\ttwo  "),
        schema.LogLine(replica="a", slot=0, stream="stderr", line="oops"),
    ]
    done = cli("logs", "web")
    assert (done.code, done.out, done.err) == (0, "one\ttwo  \n", "oops\n")


def test_logs_that_ended_badly_are_said_and_end_with_one(
    cli: Cli, api: Api, control: Scripted
) -> None:
    deployed(control, "web")
    control.log_lines = [
        schema.LogLine(replica="a", slot=0, stream="stdout", line="one"),
        schema.LogLine(replica="b", slot=1, stream="stdout", line="", error="node is gone"),
    ]
    done = cli("logs", "web")
    assert (done.code, done.out) == (1, "one\n")
    assert "warning: log of replica 1: node is gone" in done.err


def test_logs_with_json_are_one_object_per_line(cli: Cli, api: Api, control: Scripted) -> None:
    deployed(control, "web")
    control.log_lines = [schema.LogLine(replica="a", slot=0, stream="stdout", line="x")] * 2
    lines = cli("logs", "web", "-o", "json").out.splitlines()
    assert [json.loads(line)["line"] for line in lines] == ["x", "x"]


def test_logs_since_something_that_is_no_time_is_refused(cli: Cli) -> None:
    assert cli("logs", "web", "--since", "tomorrow").code == 2


# --- exec -----------------------------------------------------------------------------------------


def test_exec_passes_input_output_and_exit_code_on(
    cli: Cli, api: Api, control: Scripted, tmp_path: Path
) -> None:
    deployed(control, "web")
    done = cli.reading(tmp_path, b"hello\n", "exec", "web", "--", "cat", "-n")
    assert (done.code, done.out) == (7, "hello\n")
    assert control.executed[0].command == ("cat", "-n")
    assert control.executed[0].tty is False


def test_exec_that_breaks_ends_with_the_error(
    cli: Cli, api: Api, control: Scripted, tmp_path: Path
) -> None:
    deployed(control, "web")
    done = cli.reading(tmp_path, b"!docker_unavailable", "exec", "web", "-T", "--", "cat")
    assert done.code == 7
    assert "error: It failed." in done.err


def test_exec_of_options_without_dashes_before_says_where_they_belong(cli: Cli) -> None:
    done = cli("exec", "web", "ls", "-l")
    assert done.code == 2
    assert "Options of the command to run stand behind `--`." in done.err


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("restart", "web"), "restart"),
        (("scale", "web=3"), "scale"),
        (("scale", "web", "3"), "scale"),
        (("rollback", "web"), "rollback"),
        (("rollback", "web", "--to", "1"), "rollback"),
        (("stop", "web"), "stop"),
        (("stop", "--all", "-y"), "stop"),
        (("rm", "web", "-y"), "remove"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_change_is_followed_to_its_end(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...], call: str
) -> None:
    deployed(control, "web", "web")
    done = cli(*arguments)
    assert done.code == 0, done.err
    assert done.out.startswith("✓ shop/web")
    assert [method for method, _ in control.calls] == [call]


def test_start_brings_back_what_was_stopped(cli: Cli, api: Api, control: Scripted) -> None:
    deployed(control, "web", "db")
    assert cli("stop", "web").code == 0
    assert cli("start", "web", "db").out.endswith("  shop/db  unchanged\n")
    assert not control.services["shop/web"].stopped


@pytest.mark.parametrize("arguments", [("stop",), ("stop", "web", "--all"), ("start",)])
def test_stop_and_start_need_either_names_or_all(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert "either which services, or --all" in done.err


@pytest.mark.parametrize(
    "arguments", [("stop", "--all"), ("rm", "web"), ("secrets", "rm", "A"), ("shutdown", "--all")]
)
def test_what_cannot_be_undone_needs_yes_without_a_terminal(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...]
) -> None:
    deployed(control, "web")
    done = cli(*arguments, stdin="y\n")
    assert done.code == 2
    assert control.calls == []


@pytest.mark.parametrize("word", ["web", "web=", "web=x", "=3", "web=-1", "web=1.5", "web=²"])
def test_scale_to_no_number_is_refused(cli: Cli, word: str) -> None:
    done = cli("scale", word)
    assert done.code == 2
    assert "SERVICE=N" in done.err


def test_scale_of_the_same_service_twice_is_refused(cli: Cli) -> None:
    assert "named twice" in cli("scale", "web=1", "web=2").err


# --- secrets and configuration --------------------------------------------------------------------


def test_secret_is_read_from_stdin_without_its_line_end(
    cli: Cli, api: Api, control: Scripted
) -> None:
    done = cli("secrets", "set", "A", stdin="s3cret\n")
    assert (done.code, done.out) == (0, "Kept A for the cluster.\n")
    assert control.kept == {("", "A"): "s3cret"}


def test_secret_is_read_from_a_file_as_it_is(
    cli: Cli, api: Api, control: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_text("-----\nx\n")
    done = cli("secrets", "set", "A", "--project", "shop", "--file", str(tmp_path / "key.pem"))
    assert done.out == "Kept A for project shop.\n"
    assert control.kept == {("shop", "A"): "-----\nx\n"}


def test_secret_as_an_argument_is_taken_with_a_warning(
    cli: Cli, api: Api, control: Scripted
) -> None:
    done = cli("secrets", "set", "A", "s3cret")
    assert done.code == 0
    assert "warning: a secret as an argument stays in the shell's history" in done.err
    assert "s3cret" not in done.out + done.err
    assert control.kept == {("", "A"): "s3cret"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("set", "A"), b"", "no value on stdin"),
        (("set", "A"), b"\xff\xfe", "stdin is not UTF-8 text"),
        (("set", "A", "x", "--file", "y"), b"", "Both a value and a file"),
        (("set", "A", "--file", "/nonexistent"), b"", "cannot be read: No such file"),
        (("import", "-f", "/nonexistent"), b"", "cannot be read: No such file"),
    ],
)
def test_secret_that_cannot_be_read_is_refused(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...], stdin: bytes, message: str
) -> None:
    done = cli("secrets", *arguments, stdin=stdin)
    assert done.code == 2
    assert message in done.err
    assert control.kept == {}


def test_secrets_of_a_file_are_imported_together(
    cli: Cli, api: Api, control: Scripted, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("A=1\n# no\nexport B='two words'\n")
    done = cli("secrets", "import", "-f", str(tmp_path / ".env"))
    assert (done.code, done.out) == (0, "Kept 2 secrets for the cluster: A, B.\n")
    assert control.kept == {("", "A"): "1", ("", "B"): "two words"}


def test_secrets_of_a_faulty_file_are_not_imported(
    cli: Cli, api: Api, control: Scripted, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("A=1\nwhat\n")
    done = cli("secrets", "import", "-f", str(tmp_path / ".env"))
    assert done.code == 2
    assert ".env:2:1: expected NAME=value" in done.err
    assert control.kept == {}


def test_secret_in_use_is_not_forgotten(cli: Cli, api: Api, control: Scripted) -> None:
    control.kept["", "A"] = "x"
    spec = {"name": "web", "project": "shop", "image": "i", "env": {"K": "${secrets.A}"}}
    control._commit(ServiceSpec.model_validate(spec), "create")
    assert cli("secrets", "rm", "A", "-y").code == 6
    assert "shop/web" in cli("secrets", "usages", "A").out


def test_config_check_of_good_files_counts_them(cli: Cli, root: Path) -> None:
    done = cli("config", "check", "-C", str(root))
    assert (done.code, done.out) == (0, "ok: 2 services in 1 project\n")


def test_config_check_of_bad_files_says_all_problems(cli: Cli, root: Path) -> None:
    (root / "cluster.toml").write_text("[cluster]\nnaem = 1\n[proxy]\nhttp_port = 99999\n")
    done = cli("config", "check", "-C", str(root))
    assert done.code == 2
    assert "cluster.toml:2:1:" in done.err
    assert "cluster.toml:4:" in done.err
    assert "error: 2 problems in the configuration" in done.err


def test_config_check_with_json_lists_problems_on_stdout(cli: Cli, root: Path) -> None:
    (root / "cluster.toml").write_text("[cluster\n")
    done = cli("config", "check", "-C", str(root), "-o", "json")
    assert done.code == 2
    assert json.loads(done.out)["ok"] is False
    assert len(json.loads(done.out)["problems"]) == 1


@pytest.mark.parametrize("kind", ["service", "cluster"])
def test_config_schema_is_a_json_schema(cli: Cli, kind: str) -> None:
    assert "properties" in json.loads(cli("config", "schema", kind).out)


def test_config_reload_names_what_changed(cli: Cli, api: Api) -> None:
    assert cli("config", "reload").out == "in force now: cluster.log_level\n"


# --- the server that is not there, and others -----------------------------------------------------

TALKING = (
    ("status",),
    ("logs", "web"),
    ("restart", "web"),
    ("secrets", "list"),
    ("events", "-f"),
    ("exec", "web", "--", "true"),
)


@pytest.mark.parametrize("arguments", TALKING, ids=" ".join)
def test_command_without_a_server_says_how_to_start_one(
    cli: Cli, arguments: tuple[str, ...]
) -> None:
    done = cli("--api", "http://127.0.0.1:9", *arguments)
    assert done.code == 3
    assert "hint: Start it with `orca server -d`." in done.err


@pytest.mark.parametrize("arguments", TALKING, ids=" ".join)
def test_command_with_a_wrong_token_is_denied(
    cli: Cli, api: Api, control: Scripted, arguments: tuple[str, ...]
) -> None:
    done = cli(*arguments, "--token", "wrong") if "--" not in arguments else None
    done = done or cli("--token", "wrong", *arguments)
    assert done.code == 4
    assert done.err.startswith("error: ")


def test_shutdown_of_what_does_not_run_says_so(cli: Cli) -> None:
    done = cli("shutdown")
    assert done.code == 3
    assert f"no orca server runs on {cli.home}" in done.err


def test_server_outside_any_configuration_does_not_start(cli: Cli, tmp_path: Path) -> None:
    cli.monkeypatch.chdir(tmp_path)
    done = cli("server", "-d")
    assert done.code == 2
    assert "no configuration found" in done.err
    assert list(cli.home.iterdir()) == []


def test_server_with_a_broken_cluster_file_does_not_start(cli: Cli, root: Path) -> None:
    (root / "cluster.toml").write_text("[cluster]\nnaem = 1\n")
    done = cli("server", "-C", str(root))
    assert done.code == 2
    assert "cluster.toml:2:1:" in done.err
    assert list(cli.home.iterdir()) == []


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_server_with_a_bad_proxy_port_is_refused(cli: Cli, port: str) -> None:
    assert cli("server", "--proxy-port", port).code == 2


def test_version_is_said_without_a_server_too(cli: Cli) -> None:
    done = cli("version", "--api", "http://127.0.0.1:9")
    assert done.code == 0
    assert "server  unknown: No orca server answers" in done.out


@pytest.mark.parametrize(
    "failure",
    [
        errors.StoreUnavailable("etcd is away."),
        errors.StoreFull("No space."),
        errors.NoNode("No node."),
        errors.Conflict("Somebody was faster."),
        errors.MissingSecret("${secrets.X} has no value."),
        errors.Unsupported("canary: not supported yet"),
        errors.ImageError("There is no such image."),
        errors.DeadlineExceeded("Too slow."),
    ],
    ids=lambda failure: failure.kind,
)
def test_error_of_the_server_keeps_its_exit_code(
    cli: Cli, api: Api, control: Scripted, root: Path, failure: errors.OrcaError
) -> None:
    control.fail_with = failure
    done = cli("deploy", "-y", "-C", str(root))
    assert done.code == failure.exit_code
    assert f"error: {failure.message}" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed(cli: Cli, shell: str) -> None:
    done = cli("completion", shell)
    assert done.code == 0
    assert "orca _complete" in done.out

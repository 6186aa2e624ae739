"""What orca says about itself: one trace per deploy, metrics, logs, audit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from service_files import WEB_TWO, job, web

from orca.testing.engine import DockerEngine
from orca.testing.host import Host, eventually, request


class Collector(otlp_grpc.TraceServiceServicer):
    """An OTLP collector that keeps what it is sent: (program, span)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[tuple[str, Span]] = []

    def Export(self, request: otlp.ExportTraceServiceRequest, context: object) -> object:
        with self._lock:
            for resource in request.resource_spans:
                facts = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self._found += [(facts["service.name"], span) for span in scope.spans]
        return otlp.ExportTraceServiceResponse()

    def spans(self) -> list[tuple[str, Span]]:
        with self._lock:
            return list(self._found)


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, int]]:
    found = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    otlp_grpc.add_TraceServiceServicer_to_server(found, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield found, port
    server.stop(None).wait()


@pytest.fixture(scope="module")
def host(engine: DockerEngine, collector: tuple[Collector, int]) -> Iterator[Host]:
    with Host(engine) as found:
        found.configure(f'[observability]\notlp_endpoint = "http://127.0.0.1:{collector[1]}"\n')
        yield found


def test_a_deploy_is_one_trace_from_the_command_to_the_start_of_each_container(
    server: Host, collector: tuple[Collector, int], project: str, domain: str
) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)

    def trace() -> dict[tuple[str, str], list[Span]]:
        begun = [s for p, s in collector[0].spans() if p == "orca-cli" and s.name == "orca deploy"]
        if not begun:
            return {}
        found: dict[tuple[str, str], list[Span]] = {}
        for program, span in collector[0].spans():
            if span.trace_id == begun[-1].trace_id:
                found.setdefault((program, span.name), []).append(span)
        return found

    wanted = {
        ("orca-cli", "orca deploy"),
        ("orca-server", "POST /api/v1/deploy"),
        ("orca-server", "deploy"),
        ("orca-server", "resolve image"),
        ("orca-server", "create container"),
        ("orca-server", "start container"),
    }
    eventually(lambda: wanted <= set(trace()), what=f"all of {wanted}")
    spans = trace()
    assert len(spans["orca-server", "start container"]) == 2
    ids = {span.span_id for group in spans.values() for span in group}
    roots = [s.name for group in spans.values() for s in group if s.parent_span_id not in ids]
    assert roots == ["orca deploy"], "every other span hangs below another one of the trace"


def test_the_trace_of_a_deploy_is_in_the_log_and_in_the_events(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)

    events = server.orca("events", f"{project}/web", "-o", "json").json()["events"]
    (begun,) = [e for e in events if e["kind"] == "service.deploy"]
    trace_id = begun["trace"].split("-")[1]
    lines = [line for line in server.log() if line.get("trace_id") == trace_id]

    assert [line for line in lines if line["logger"] == "audit"]


def test_metrics_need_a_token_and_tell_what_runs(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)

    assert request(server.ports.api, "/metrics").status == 401
    answer = server.api("/metrics")

    assert answer.status == 200
    samples = {
        (s.name, s.labels.get("project", ""), s.labels.get("state", "")): s.value
        for family in text_string_to_metric_families(answer.body)
        for s in family.samples
    }
    assert samples["orca_replicas", project, "running"] == 2
    assert samples["orca_is_leader", "", ""] == 1
    assert samples["orca_nodes", "", "ready"] == 1
    assert any(name == "orca_rollouts_total" for name, *_ in samples)


def test_what_the_documentation_lists_is_measured(server: Host, project: str) -> None:
    server.write(project, job())
    server.deploy(project)
    wanted = {
        "orca_api_request_seconds_count",
        "orca_api_requests_total",
        "orca_deploy_seconds_count",
        "orca_plan_seconds_count",
        "orca_store_commit_seconds_count",
        "orca_rollouts_total",
    }

    families = text_string_to_metric_families(server.api("/metrics").body)
    samples = [s for family in families for s in family.samples]

    assert {s.name for s in samples if s.value > 0} >= wanted
    waiting = {s.labels["actor"] for s in samples if s.name == "orca_mailbox_depth"}
    assert waiting >= {"master", "node", "replica"}


def test_every_line_of_the_log_is_json_with_the_documented_keys(server: Host, project: str) -> None:
    server.write(project, job())
    server.deploy(project)

    for line in (server.home / "orca.log").read_text().splitlines():
        assert {"time", "level", "logger", "event"} <= set(json.loads(line))
    assert (server.home / "orca.log").stat().st_mode & 0o077 == 0


def test_every_change_leaves_a_line_in_the_audit_also_when_it_was_refused(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    server.write(project, web(domain, image=WEB_TWO))
    server.api("/api/v1/stop", method="POST", token="guessed")
    server.orca("secrets", "set", "AUDITED", stdin="do-not-log-me")

    lines = [line for line in server.log() if line["logger"] == "audit"]

    seen = {(line["event"], line["who"], line["outcome"]) for line in lines}
    assert ("POST /deploy", "admin", "ok") in seen
    assert ("POST /stop", "", "unauthenticated") in seen
    assert ("PUT /secrets/{name}", "admin", "ok") in seen
    assert "do-not-log-me" not in json.dumps(lines)

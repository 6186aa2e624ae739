"""What a row of probe answers means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.node.replica.probe_state import Gauge, Health


def probe(**changes: float) -> Probe:
    return Probe(kind=ProbeKind.HTTP, **changes)  # type: ignore[arg-type]


def after(gauge: Gauge, answers: str) -> Gauge:
    """`+` is a success, `-` a failure."""
    for answer in answers:
        gauge = gauge.observe(ok=answer == "+", reason="503")
    return gauge


@pytest.mark.parametrize(
    ("answers", "passing"),
    [
        ("", False),
        ("+", False),
        ("++", True),
        ("+-+", False),
        ("++-", True),
        ("++--", True),
        ("++---", False),
        ("++--+--", True),
        ("++---+", False),
        ("++---++", True),
    ],
)
def test_verdict_follows_both_thresholds(answers: str, passing: bool) -> None:
    gauge = Gauge(probe=probe(success_threshold=2, failure_threshold=3))
    assert after(gauge, answers).passing is passing


@given(st.text("+-", max_size=60))
def test_verdict_never_depends_on_more_than_the_present_row(answers: str) -> None:
    gauge = after(Gauge(probe=probe(success_threshold=2, failure_threshold=3)), answers)
    assert gauge.successes == 0 or gauge.failures == 0
    if gauge.successes >= 2:
        assert gauge.passing
    if gauge.failures >= 3:
        assert not gauge.passing


def test_eager_probe_asks_fast_then_slower_up_to_its_interval() -> None:
    gauge, paces = Gauge(probe=probe(interval_seconds=2.0)), []
    for _ in range(40):
        paces.append(gauge.pace_seconds)
        gauge = after(gauge, "-")
    assert paces[0] == 0
    assert paces[1] == 0.025
    assert paces == sorted(paces)
    assert paces[-1] == 2.0


def test_probe_that_passed_once_keeps_its_interval() -> None:
    gauge = after(Gauge(probe=probe(interval_seconds=2.0)), "-+---")
    assert gauge.pace_seconds == 2.0


def test_first_question_waits_for_the_initial_delay() -> None:
    spec = ContainerSpec(image="x", readiness=probe(initial_delay_seconds=30.0))
    young, old = Health.begin(spec), Health.begin(spec, age_seconds=100.0)
    assert young.readiness is not None
    assert young.readiness.pace_seconds == 30
    assert old.readiness is not None
    assert old.readiness.pace_seconds == 0


def test_liveness_is_never_asked_faster_than_its_interval() -> None:
    health = Health.begin(ContainerSpec(image="x", liveness=probe(interval_seconds=30.0)))
    for _ in range(2):
        health = health.observe("liveness", ok=False, reason="503")
        assert health.liveness is not None
        assert health.liveness.pace_seconds == 30
        assert health.fatal == ""
    health = health.observe("liveness", ok=False, reason="503")
    assert health.fatal == "its liveness probe failed 3 times in a row: 503"


def test_liveness_and_readiness_wait_for_startup() -> None:
    spec = ContainerSpec(image="x", startup=probe(), readiness=probe(), liveness=probe())
    health = Health.begin(spec)
    assert health.due == ("startup",)
    assert not health.ready
    health = health.observe("startup", ok=True)
    assert health.due == ("readiness", "liveness")
    assert not health.ready
    assert health.observe("readiness", ok=True).ready


def test_startup_has_the_patience_of_its_interval_although_it_asks_faster() -> None:
    spec = ContainerSpec(image="x", startup=probe(interval_seconds=10.0, failure_threshold=3))
    health, waited = Health.begin(spec), 0.0
    while not health.fatal:
        assert health.startup is not None
        waited += health.startup.pace_seconds
        health = health.observe("startup", ok=False, reason="503")
    assert 20 <= waited <= 31


def test_service_with_a_port_and_no_probe_is_ready_when_it_listens() -> None:
    health = Health.begin(ContainerSpec(image="x", port=80))
    assert health.readiness is not None
    assert health.readiness.probe.kind is ProbeKind.TCP
    assert health.readiness.probe.port == 80
    assert not health.ready
    assert health.observe("readiness", ok=True).ready


def test_service_with_nothing_to_ask_is_ready_when_it_has_settled() -> None:
    assert not Health.begin(ContainerSpec(image="x")).ready
    assert Health.begin(ContainerSpec(image="x"), age_seconds=1.0).ready


def test_what_was_ready_stays_so_until_its_probe_says_otherwise() -> None:
    spec = ContainerSpec(image="x", readiness=probe(failure_threshold=2), startup=probe())
    health = Health.begin(spec, age_seconds=60.0, ready=True)
    assert health.ready
    health = health.observe("readiness", ok=False, reason="503")
    assert health.ready
    health = health.observe("readiness", ok=False, reason="503")
    assert not health.ready
    assert health.reason == "503"

"""When a dead replica is started again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.plan.restart import (
    BACKOFF_SECONDS_MAX,
    HEALTHY_SECONDS,
    NO_LIMIT,
    GiveUp,
    Restart,
    backoff_seconds,
    next_restart,
)

ROWS = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("row", "seconds"),
    [(0, 0), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (1000, 60)],
)
def test_backoff_doubles_up_to_a_minute(row: int, seconds: float) -> None:
    assert backoff_seconds(row) == seconds


@pytest.mark.parametrize(
    ("row", "ran", "limit", "expected"),
    [
        (0, 0.1, NO_LIMIT, Restart(0.0, 1)),
        (1, 0.1, NO_LIMIT, Restart(1.0, 2)),
        (6, 9.99, NO_LIMIT, Restart(32.0, 7)),
        (6, 10.0, NO_LIMIT, Restart(0.0, 1)),
        (2, 0.1, 3, Restart(2.0, 3)),
        (3, 0.1, 3, GiveUp("restarted 3 times without staying up for 10 s")),
        (1, 0.1, 1, GiveUp("restarted once without staying up for 10 s")),
        (0, 0.1, 0, GiveUp("it may not be restarted (max_restarts = 0)")),
        (0, 900.0, 0, GiveUp("it may not be restarted (max_restarts = 0)")),
        (3, 10.0, 3, Restart(0.0, 1)),
    ],
)
def test_verdict_on_a_death(row: int, ran: float, limit: int, expected: Restart | GiveUp) -> None:
    assert next_restart(row=row, ran_seconds=ran, max_restarts=limit) == expected


@given(row=ROWS, ran=st.floats(0, 1e6))
def test_without_a_limit_there_is_always_a_restart_within_a_minute(row: int, ran: float) -> None:
    verdict = next_restart(row=row, ran_seconds=ran)
    assert isinstance(verdict, Restart)
    assert 0 <= verdict.delay_seconds <= BACKOFF_SECONDS_MAX


@given(limit=st.integers(0, 50), runs=st.lists(st.floats(0, HEALTHY_SECONDS - 0.001), min_size=51))
def test_limit_is_the_number_of_restarts_in_a_row(limit: int, runs: list[float]) -> None:
    row = restarts = 0
    for ran in runs:
        verdict = next_restart(row=row, ran_seconds=ran, max_restarts=limit)
        if isinstance(verdict, GiveUp):
            break
        row, restarts = verdict.row, restarts + 1
    assert restarts == limit

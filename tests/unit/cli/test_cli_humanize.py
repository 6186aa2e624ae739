"""Durations, ages and sizes; points in time as typed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.cli import moments
from orca.cli.render import humanize

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (1.9, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86399, "23 h"),
        (86400, "1 d"),
        (864000, "10 d"),
        (-5, "0 s"),
    ],
)
def test_duration_is_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert humanize.duration(seconds) == text


def test_age_of_what_never_was_is_a_dash() -> None:
    assert humanize.age(0.0, NOW) == "-"
    assert humanize.ago(0.0, NOW) == "never"


def test_age_counts_from_the_moment_given() -> None:
    assert humanize.ago(NOW - 12, NOW) == "12 s ago"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_size_is_in_binary_units(count: int, text: str) -> None:
    assert humanize.size(count) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods")])
def test_plural_agrees_with_its_number(count: int, text: str) -> None:
    assert humanize.plural(count, "pod") == text


def test_moment_is_to_the_second_in_the_zone_given() -> None:
    assert humanize.moment(NOW, UTC) == "2023-11-14 22:13:20"


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", 90), ("15m", 900), ("15min", 900), ("2h", 7200), ("3d", 259200), ("1h30m", 5400)],
)
def test_since_with_a_unit_is_that_long_ago(text: str, ago: float) -> None:
    assert moments.parse_since(text, now=NOW) == NOW - ago


def test_since_as_iso_time_is_that_time() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moments.parse_since("2026-01-31T12:00:00Z", now=NOW) == at.timestamp()


def test_since_as_unix_seconds_is_that_time() -> None:
    assert moments.parse_since("1700000000", now=NOW) == 1_700_000_000.0


@pytest.mark.parametrize("text", ["yesterday", "5", "5 m", "m", "-5m", "15x"])
def test_since_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError, match="is not a time"):
        moments.parse_since(text, now=NOW)


@given(st.text(max_size=20))
def test_since_either_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(errors.UserError):
        assert isinstance(moments.parse_since(text, now=NOW), float)

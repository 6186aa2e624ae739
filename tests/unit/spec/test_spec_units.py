from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.spec import units


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512Mi", 512 * 2**20),
        ("1Gi", 2**30),
        ("1.5Gi", 3 * 2**29),
        ("64Ki", 65536),
        ("1Ti", 2**40),
        ("500M", 500_000_000),
        ("2k", 2000),
        ("1G", 10**9),
        ("1048576", 2**20),
        (1048576, 2**20),
        (" 1 Gi ", 2**30),
    ],
)
def test_memory_is_read(text: object, size_bytes: int) -> None:
    assert units.memory_bytes(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("512MB", '"512Mi" (powers of 1024) or "512M"'),
        ("512m", '"512Mi"'),
        ("1gb", '"1Gi"'),
        ("5K", '"5k"'),
        ("5X", "Ki, Mi, Gi, Ti"),
        ("0.3Ki", "smaller unit"),
        ("much", "512Mi"),
        ("-1Gi", "512Mi"),
        ("0", ""),
        (0, ""),
        (True, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_memory_that_could_mean_two_things_is_refused(text: object, hint: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        units.memory_bytes(text)
    assert hint in caught.value.hint


@given(st.integers(min_value=1, max_value=2**60))
def test_memory_text_is_read_back(size_bytes: int) -> None:
    assert units.memory_bytes(units.memory_text(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("value", "cores"),
    [(1, 1.0), (0.5, 0.5), ("0.5", 0.5), ("500m", 0.5), ("2", 2.0), ("10m", 0.01)],
)
def test_cpu_is_read(value: object, cores: float) -> None:
    assert units.cpu_cores(value) == cores


@pytest.mark.parametrize(
    "value", ["lots", "", "5 cores", "-1", -1, 0, True, None, float("inf"), float("nan")]
)
def test_cpu_that_is_no_number_of_cores_is_refused(value: object) -> None:
    with pytest.raises(errors.UserError):
        units.cpu_cores(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1m30s", 90), ("2h", 7200), ("1d", 86400), ("500ms", 0.5), ("1.5s", 1.5)],
)
def test_duration_is_read(text: str, seconds: float) -> None:
    assert units.duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "1x", "30s1m", "-1s"])
def test_duration_without_clear_unit_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError):
        units.duration_seconds(text)

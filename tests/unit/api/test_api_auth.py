"""Tokens, their file, and the brake on guessing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.master.api.auth import FailureBrake, TokenBook, bearer, load_or_create_token
from orca.master.control import Role


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_token_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "home" / "cluster.token"
    token = load_or_create_token(path)
    assert len(token) >= 40
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_token(path) == token


def test_token_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cluster.token"
    path.write_text("secret\n")
    path.chmod(0o644)
    with pytest.raises(errors.UserError, match="0644"):
        load_or_create_token(path)


def test_empty_token_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cluster.token"
    path.touch(0o600)
    with pytest.raises(errors.UserError, match="no token"):
        load_or_create_token(path)


def test_token_is_known_by_its_hash_with_its_name_and_role() -> None:
    book = TokenBook("root")
    book.replace([("ci", sha256("abc").upper(), Role.DEPLOYER)])
    found = book.principal_of("abc")
    assert found is not None
    assert (found.name, found.role) == ("ci", Role.DEPLOYER)
    root = book.principal_of("root")
    assert root is not None
    assert root.role is Role.ADMIN


@pytest.mark.parametrize("token", ["", "abc ", "ABC", sha256("abc"), "\udcff"])
def test_anything_else_is_nobodys_token(token: str) -> None:
    book = TokenBook("root")
    book.replace([("ci", sha256("abc"), Role.DEPLOYER)])
    assert book.principal_of(token) is None


@pytest.mark.parametrize(
    "bad",
    [
        [("ci", "abc", Role.VIEWER)],
        [("ci", "é" * 64, Role.VIEWER)],
        [("ci", sha256("a"), Role.VIEWER), ("ci", sha256("b"), Role.VIEWER)],
        [("admin", sha256("a"), Role.VIEWER)],
    ],
)
def test_faulty_tokens_are_refused_and_change_nothing(bad: list[tuple[str, str, Role]]) -> None:
    book = TokenBook("root")
    book.replace([("old", sha256("old"), Role.VIEWER)])
    with pytest.raises(errors.UserError):
        book.replace(bad)
    assert book.principal_of("old") is not None


def test_book_never_shows_a_token() -> None:
    book = TokenBook("root-token")
    assert "root-token" not in repr(book)
    assert sha256("root-token") not in repr(book)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", ""),
        ("abc", ""),
        ("", ""),
        ("Bearer", ""),
    ],
)
def test_bearer_takes_the_token_of_its_scheme_only(header: str, token: str) -> None:
    assert bearer(header) == token


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=200), st.integers(1, 10))
def test_brake_never_lets_more_through_than_its_limit(gaps: list[float], limit: int) -> None:
    brake = FailureBrake(limit=limit, window_seconds=60)
    now, let_through = 0.0, []
    for gap in gaps:
        now += gap
        if brake.record("a", now) == 0:
            let_through.append(now)
        recent = [moment for moment in let_through if moment > now - 60]
        assert len(recent) <= limit


def test_brake_forgets_the_oldest_address_and_not_the_count_of_others() -> None:
    brake = FailureBrake(limit=1, addresses_max=2)
    assert [brake.record(address, 0) for address in "ab"] == [0, 0]
    assert brake.record("b", 1) == 59
    assert brake.record("c", 1) == 0
    assert brake.record("b", 2) == 58
    assert brake.record("a", 2) == 0

"""The master key's file: private, whole, and never replaced by accident."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orca import errors
from orca.secrets.keyring import Keyring, MasterKey


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "master.key"


def test_first_use_creates_a_private_file_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Keyring.load_or_create(path, cluster="c")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_second_use_finds_the_same_key(path: Path) -> None:
    first = Keyring.load_or_create(path, cluster="c")
    assert Keyring.load_or_create(path, cluster="c") == first


def test_processes_that_start_at_once_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: Keyring.load_or_create(path, cluster="c"), range(8)))
    assert len({ring.current.id for ring in rings}) == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o610])
def test_key_others_could_reach_is_refused_and_left_alone(path: Path, mode: int) -> None:
    Keyring.load_or_create(path, cluster="c")
    path.chmod(mode)
    with pytest.raises(errors.UserError, match=f"{mode:04o}") as caught:
        Keyring.load_or_create(path, cluster="c")
    assert str(path) in caught.value.hint
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_key_that_is_a_directory_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(errors.UserError, match="regular file"):
        Keyring.load_or_create(path, cluster="c")


def test_key_of_another_user_is_refused(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    Keyring.load_or_create(path, cluster="c")
    os.chown(path, 65534, 65534)
    with pytest.raises(errors.UserError, match="user 65534"):
        Keyring.load_or_create(path, cluster="c")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no key"),
        (b"# only a comment\n", "holds no key"),
        (b"not base64!\n", "1: not base64"),
        (b"\n" + base64.b64encode(b"short") + b"\n", "2: 5 bytes instead of 32"),
    ],
)
def test_damaged_key_file_is_refused_by_line_and_never_replaced(
    path: Path, content: bytes, message: str
) -> None:
    Keyring.load_or_create(path, cluster="c")
    path.write_bytes(content)
    with pytest.raises(errors.UserError, match=message) as caught:
        Keyring.load_or_create(path, cluster="c")
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content


def test_loading_without_a_file_is_not_found(path: Path) -> None:
    with pytest.raises(errors.NotFound, match=r"master\.key does not exist"):
        Keyring.load(path, cluster="c")
    assert not path.exists()


def test_rotated_ring_survives_the_file_with_its_order(path: Path) -> None:
    first = Keyring.load_or_create(path, cluster="c")
    rotated = first.rotated()
    rotated.write(path)
    again = Keyring.load(path, cluster="c")
    assert again == rotated
    assert again.key_ids == (rotated.current.id, first.current.id)
    assert again.find(first.current.id) == first.current
    assert again.without_previous().find(first.current.id) is None


def test_disk_that_refuses_is_reported_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Failed, match=r"cannot .* .*file/master\.key"):
        Keyring.load_or_create(tmp_path / "file" / "master.key", cluster="c")


def test_key_id_is_stable_and_says_nothing_about_the_key() -> None:
    key = MasterKey(bytes(range(32)))
    assert key.id == MasterKey(bytes(range(32))).id
    assert key.id != MasterKey(bytes(range(1, 33))).id
    assert key.id not in key.material.hex()
    assert "\\x01" not in repr(key)

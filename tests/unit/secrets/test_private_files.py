"""Private files on a disk that refuses."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orca import errors
from orca.secrets import private_files


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Cut every write as a full disk would, for this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_write_that_is_cut_short_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "key"
    private_files.write_private(path, b"old")
    with files_limited_to(5), pytest.raises(errors.Failed, match=f"cannot write {path}") as caught:
        private_files.write_private(path, b"new and longer")
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_creation_that_is_cut_short_leaves_nothing(tmp_path: Path) -> None:
    with files_limited_to(5), pytest.raises(errors.Failed):
        private_files.create_private(tmp_path / "key", b"longer than that")
    assert list(tmp_path.iterdir()) == []


def test_creation_of_what_exists_says_so_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert private_files.create_private(path, b"first")
    assert not private_files.create_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_reading_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert private_files.read_private(tmp_path / "key") is None


def test_reading_a_pipe_in_the_files_place_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(errors.UserError, match="not a regular file"):
        private_files.read_private(tmp_path / "key")


def test_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    private_files.make_private_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750

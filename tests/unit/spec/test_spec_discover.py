from __future__ import annotations

from pathlib import Path

import pytest

from orca import errors
from orca.spec.discover import find_root


@pytest.mark.parametrize("marker", ["cluster.toml", "services/"])
def test_root_is_found_upwards(tmp_path: Path, marker: str) -> None:
    root = tmp_path / "infra"
    below = root / "docs" / "deep"
    below.mkdir(parents=True)
    if marker.endswith("/"):
        (root / marker).mkdir()
    else:
        (root / marker).touch()
    assert find_root(below, explicit=None) == root
    assert find_root(root, explicit=None) == root


def test_nearest_root_wins(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").touch()
    (tmp_path / "inner" / "services").mkdir(parents=True)
    assert find_root(tmp_path / "inner" / "services", explicit=None) == tmp_path / "inner"


def test_file_called_services_is_not_a_root(tmp_path: Path) -> None:
    (tmp_path / "services").touch()
    with pytest.raises(errors.UserError):
        find_root(tmp_path, explicit=None)


def test_explicit_directory_wins_and_is_relative_to_the_start(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").touch()
    (tmp_path / "other").mkdir()
    assert find_root(tmp_path, explicit=Path("other")) == tmp_path / "other"
    assert find_root(Path("/"), explicit=tmp_path / "other") == tmp_path / "other"


def test_nothing_found_says_what_was_looked_for_and_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError) as caught:
        find_root(tmp_path, explicit=None)
    assert "neither cluster.toml nor services/" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "-C DIR or ORCA_CONFIG_DIR" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "words"), [("missing", "does not exist"), ("file", "not a directory")]
)
def test_explicit_that_is_no_directory_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.UserError, match=words):
        find_root(tmp_path, explicit=Path(name))

"""Where clients find the server and its token."""

from __future__ import annotations

from pathlib import Path

import pytest

from orca import errors
from orca.client.settings import DEFAULT_URL, ClientSettings, publish_url
from orca.secrets import private_files


@pytest.fixture
def home(tmp_path: Path) -> Path:
    private_files.write_private(tmp_path / "cluster.token", b"from-file\n")
    publish_url(tmp_path, "http://127.0.0.1:7001")
    return tmp_path


def test_home_says_where_the_api_is_and_which_token_opens_it(home: Path) -> None:
    found = ClientSettings.discover({"ORCA_HOME": str(home)})
    assert (found.url, found.token, found.home) == ("http://127.0.0.1:7001", "from-file", home)


def test_environment_wins_over_the_home_and_arguments_over_both(home: Path) -> None:
    env = {"ORCA_API": "https://orca.example/", "ORCA_TOKEN": "env"}
    found = ClientSettings.discover(env, home)
    assert (found.url, found.token) == ("https://orca.example", "env")
    found = ClientSettings.discover(env, home, url="http://localhost:1", token="flag")
    assert (found.url, found.token) == ("http://localhost:1", "flag")


def test_home_without_files_gives_the_defaults(tmp_path: Path) -> None:
    found = ClientSettings.discover({}, tmp_path)
    assert (found.url, found.token) == (DEFAULT_URL, "")
    assert ClientSettings.discover({"HOME": str(tmp_path)}).home == tmp_path / ".orca"


def test_token_file_that_others_may_read_is_refused(home: Path) -> None:
    (home / "cluster.token").chmod(0o640)
    with pytest.raises(errors.UserError, match="0640"):
        ClientSettings.discover({}, home)
    assert ClientSettings.discover({"ORCA_TOKEN": "x"}, home).token == "x"


@pytest.mark.parametrize("url", ["127.0.0.1:6880", "ftp://x", "http://", "http://[x", "http://a:b"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.UserError, match="not the address"):
        ClientSettings(url=url)


@pytest.mark.parametrize("url", ["http://10.0.0.1:6880", "http://orca.example"])
def test_token_is_not_sent_in_the_clear_over_a_network(url: str) -> None:
    with pytest.raises(errors.UserError, match="unencrypted"):
        ClientSettings(url=url, token="x")
    ClientSettings(url=url.replace("http:", "https:"), token="x")


def test_settings_do_not_show_the_token() -> None:
    assert "hidden" not in repr(ClientSettings(token="hidden"))

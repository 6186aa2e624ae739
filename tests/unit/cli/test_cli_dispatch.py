"""Which command is meant, and what is said when none is."""

from __future__ import annotations

import importlib
import inspect

import pytest

from orca import __version__, errors
from orca.cli import dispatch, loader, table
from orca.cli.dispatch import Invocation
from orca.cli.options import Waiting


def parsed(*arguments: str) -> tuple[str, tuple[str, ...]]:
    found = dispatch.parse(arguments)
    assert isinstance(found, Invocation)
    return found.entry.path, found.arguments


def test_command_is_found_with_its_arguments() -> None:
    assert parsed("deploy", "web", "-y") == ("deploy", ("web", "-y"))


def test_command_of_a_group_is_found() -> None:
    assert parsed("secrets", "set", "A") == ("secrets set", ("A",))


@pytest.mark.parametrize(
    ("before", "moved"),
    [
        (("--home", "/h"), ("--home", "/h")),
        (("--home=/h",), ("--home=/h",)),
        (("-C", "/c", "--token=t"), ("-C", "/c", "--token=t")),
    ],
)
def test_shared_options_before_the_command_are_moved_behind_it(
    before: tuple[str, ...], moved: tuple[str, ...]
) -> None:
    assert parsed(*before, "status", "web") == ("status", (*moved, "web"))


def test_command_that_has_an_options_name_as_value_is_left_alone() -> None:
    assert parsed("exec", "web", "--", "--home", "x") == ("exec", ("web", "--", "--home", "x"))


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_overview_names_every_command(arguments: tuple[str, ...]) -> None:
    text = dispatch.parse(arguments)
    assert isinstance(text, str)
    assert [entry.path for entry in table.COMMANDS if f"  {entry.path} " not in text] == []


@pytest.mark.parametrize(
    "arguments", [("secrets",), ("secrets", "--help"), ("help", "secrets"), ("secrets", "help")]
)
def test_group_lists_its_commands(arguments: tuple[str, ...]) -> None:
    text = dispatch.parse(arguments)
    assert isinstance(text, str)
    assert all(f"  {word}" in text for word in ("set", "list", "rm", "import", "usages"))
    assert "Examples:" in text


def test_help_of_a_command_is_asked_from_the_command() -> None:
    assert parsed("help", "deploy") == ("deploy", ("--help",))
    assert parsed("help", "secrets", "set") == ("secrets set", ("--help",))


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version_is_said_without_a_server(word: str) -> None:
    assert dispatch.parse((word,)) == f"orca {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("depoly",), "`orca deploy`"),
        (("sttaus", "web"), "`orca status`"),
        (("secrets", "lst"), "`orca secrets list`"),
        (("config", "chek"), "`orca config check`"),
    ],
)
def test_unknown_command_is_refused_with_what_was_probably_meant(
    arguments: tuple[str, ...], suggestion: str
) -> None:
    with pytest.raises(errors.UserError, match="There is no command") as caught:
        dispatch.parse(arguments)
    assert suggestion in caught.value.hint
    assert caught.value.exit_code == 2


def test_unknown_command_like_no_other_is_refused_with_the_way_to_the_list() -> None:
    with pytest.raises(errors.UserError) as caught:
        dispatch.parse(("xyzzy",))
    assert caught.value.hint == "`orca --help` lists the commands."


def test_unknown_option_before_the_command_is_refused() -> None:
    with pytest.raises(errors.UserError, match="There is no option `orca --verbose`"):
        dispatch.parse(("--verbose", "status"))


@pytest.mark.parametrize("entry", table.COMMANDS, ids=lambda entry: entry.path)
def test_every_command_has_examples_of_itself_and_a_summary(entry: table.Entry) -> None:
    examples = importlib.import_module(entry.module).EXAMPLES
    assert examples
    assert all(f"orca {entry.path}" in example for example in examples)
    assert entry.section in table.SECTIONS
    assert not entry.summary.endswith(".")


@pytest.mark.parametrize("entry", table.COMMANDS, ids=lambda entry: entry.path)
def test_every_parameter_of_every_command_is_explained(entry: table.Entry) -> None:
    command = loader.build(entry)
    assert command.help
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


READING_FILES = {"plan", "deploy", "server", "config check"}
WITHOUT_SERVER = {"server", "shutdown", "completion", "config check", "config schema"}


@pytest.mark.parametrize("entry", table.COMMANDS, ids=lambda entry: entry.path)
def test_shared_options_are_the_same_in_every_command(entry: table.Entry) -> None:
    spelled = {word for parameter in loader.build(entry).params for word in parameter.opts}
    assert ({"--home", "--api", "--token"} <= spelled) == (entry.path not in WITHOUT_SERVER)
    assert ("-C" in spelled) == (entry.path in READING_FILES)
    plain = {"completion", "config schema", "exec"}
    assert ({"-o", "--output"} <= spelled) == (entry.path not in plain)


def sample(waiting: Waiting, name: str = "x") -> tuple[Waiting, str]:
    return waiting, name


def test_groups_of_options_are_spread_and_put_together_again() -> None:
    flat = loader.flattened(sample)
    assert list(inspect.signature(flat).parameters) == ["name", "detach", "timeout"]
    assert flat(detach=True, timeout=3.0, name="y") == (Waiting(detach=True, timeout=3.0), "y")

"""From an entry of the table to a typer command, and its invocation.

The hard part is `flattened`: typer knows one parameter per option, the commands want a few groups of
options as values, so the signature that typer sees is derived from the command's own.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command

from orca import errors
from orca.cli import table
from orca.cli.table import Entry

T = TypeVar("T")


def invoke(entry: Entry, arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code. Raises `errors.OrcaError`, usage errors among them."""
    command = build(entry)
    try:
        with command.make_context(f"orca {entry.path}", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort as abort:  # Ctrl-C or Ctrl-D at a prompt
        raise KeyboardInterrupt from abort
    except typer.TyperException as error:
        raise _usage_error(entry, error) from error
    return 0


class Command(TyperCommand):
    """A command whose help says of arguments what their metavar says, and nothing of types."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line after the command's name."""
        return ["[OPTIONS]", *(name for name, _ in self.arguments())]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments and options, each as two columns."""
        for title, rows in (("Arguments", self.arguments()), ("Options", self.options(ctx))):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def arguments(self) -> list[tuple[str, str]]:
        """Arguments with what they mean."""
        return [(p.metavar or "", getattr(p, "help", "")) for p in self._of_kind("argument")]

    def options(self, ctx: Any) -> list[tuple[str, str]]:
        """Options with what they mean."""
        records = (p.get_help_record(ctx) for p in [*self._of_kind("option"), *self._help(ctx)])
        return [record for record in records if record]

    def _of_kind(self, kind: str) -> list[Any]:
        return [p for p in self.params if p.param_type_name == kind]

    def _help(self, ctx: Any) -> list[Any]:
        option = self.get_help_option(ctx)
        return [option] if option else []


def build(entry: Entry) -> Command:
    """The command as typer has it."""
    module = importlib.import_module(entry.module)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(
        name=entry.path.split()[-1],
        cls=Command,
        epilog=_epilog(module.EXAMPLES),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )(flattened(module.command))
    command = get_command(app)
    assert isinstance(command, Command)  # noqa: S101 - one command makes no group
    return command


def flattened(function: Callable[..., T]) -> Callable[..., T]:
    """The same function with every dataclass parameter spread into its fields."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {
        name: hint for name, hint in hints.items() if name != "return" and is_dataclass(hint)
    }
    own = [p for p in inspect.signature(function).parameters.values() if p.name not in groups]
    parameters = [p.replace(annotation=hints[p.name]) for p in own]
    # Last, and those of the server last of all: help begins with what is particular.
    parameters += [parameter for name in reversed(groups) for parameter in _spread(groups[name])]

    @functools.wraps(function)
    def command(**values: Any) -> T:
        for name, group in groups.items():
            taken = {field.name: values.pop(field.name) for field in fields(group)}
            values[name] = group(**taken)
        return function(**values)

    del command.__wrapped__  # inspect would look through it
    as_keywords = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    command.__signature__ = inspect.Signature(as_keywords)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _spread(group: Any) -> list[inspect.Parameter]:
    hints: Mapping[str, Any] = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _epilog(examples: Sequence[str]) -> str:
    # "\b" keeps the parser's help from joining the lines of the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)


def _usage_error(entry: Entry, error: typer.TyperException) -> errors.UserError:
    possible: Sequence[str] | None = getattr(error, "possibilities", None)
    message = error.message if possible else error.format_message().replace("Value error, ", "")
    more = f"`orca {entry.path} --help` says what it accepts."
    if entry.path == table.PASSING_ON and hasattr(error, "option_name"):
        more = f"Options of the command to run stand behind `--`. {more}"
    hint = f"Did you mean {' or '.join(sorted(possible))}? {more}" if possible else more
    return errors.UserError(message.rstrip(".") + ".", hint=hint)

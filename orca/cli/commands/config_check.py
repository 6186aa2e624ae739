"""`orca config check`: everything that is wrong with the files."""

from __future__ import annotations

from orca import errors
from orca.cli import files, output, terminal
from orca.cli.options import ConfigDir, Format, Output
from orca.cli.render import humanize
from orca.cli.results import Checked
from orca.spec.load import Loaded

EXAMPLES = ("orca config check", "orca config check -C ~/orca -o json")


def command(config_dir: ConfigDir = None, output_format: Output = Format.TABLE) -> None:
    """Read all files and say everything that is wrong with them. Needs no server."""
    loaded = files.read(config_dir)
    if output_format == Format.TABLE:
        for problem in (*loaded.warnings, *loaded.unsupported):
            terminal.note(problem.render())
    else:
        output.emit(_checked(loaded), output_format, lambda: "")
    if loaded.problems:
        found = tuple(problem.render() for problem in loaded.problems)
        raise errors.InvalidConfig(found, hint="Nothing can be deployed before these are mended.")
    if output_format == Format.TABLE:
        terminal.show(_summary(loaded))


def _summary(loaded: Loaded) -> str:
    services = humanize.plural(len(loaded.services), "service")
    projects = humanize.plural(len({spec.project for spec in loaded.services}), "project")
    return f"ok: {services} in {projects}"


def _checked(loaded: Loaded) -> Checked:
    return Checked(
        root=str(loaded.root),
        ok=not loaded.problems,
        services=tuple(spec.ref for spec in loaded.services),
        problems=tuple(problem.render() for problem in loaded.problems),
        warnings=tuple(problem.render() for problem in loaded.warnings),
        unsupported=tuple(problem.render() for problem in loaded.unsupported),
    )

"""Every command by name: the one list that help, dispatch, completion and the docs are made of.

Kept free of imports so that `orca --help` costs little more than starting Python. A command's module
is `orca.cli.commands.<path with underscores>`.
"""

from __future__ import annotations

from typing import NamedTuple

SERVICE = "service"
SECRET = "secret"  # noqa: S105 - the kind of a completion, not a value
SHELL = "shell"


class Entry(NamedTuple):
    """One command. `completes` says what its arguments are: a kind, or nothing known."""

    path: str
    summary: str
    section: str
    completes: str = ""

    @property
    def module(self) -> str:
        """Where the command is."""
        return "orca.cli.commands." + self.path.replace(" ", "_")


SECTIONS = ("Deploy", "Observe", "Operate", "Configure", "Control plane", "Help")

COMMANDS = (
    Entry("plan", "Show what a deploy would change", "Deploy", SERVICE),
    Entry("deploy", "Bring services to what their files say", "Deploy", SERVICE),
    Entry("rollback", "Go back to an earlier revision", "Deploy", SERVICE),
    Entry("history", "List the deployments of a service", "Deploy", SERVICE),
    Entry("status", "Show services, replicas and nodes", "Observe", SERVICE),
    Entry("logs", "Print the output of a service", "Observe", SERVICE),
    Entry("events", "List what happened", "Observe", SERVICE),
    Entry("why", "Explain the state of a service", "Observe", SERVICE),
    Entry("exec", "Run a command inside a replica", "Operate", SERVICE),
    Entry("restart", "Replace every replica, same revision", "Operate", SERVICE),
    Entry("scale", "Change the number of replicas", "Operate", SERVICE),
    Entry("stop", "Stop services and keep their specs", "Operate", SERVICE),
    Entry("start", "Start stopped services", "Operate", SERVICE),
    Entry("rm", "Stop services and forget them", "Operate", SERVICE),
    Entry("secrets set", "Keep a value", "Configure", SECRET),
    Entry("secrets list", "List names, never values", "Configure"),
    Entry("secrets rm", "Forget a value", "Configure", SECRET),
    Entry("secrets import", "Keep all values of a .env file", "Configure"),
    Entry("secrets usages", "Show where a value is used", "Configure", SECRET),
    Entry("config check", "Check all files, say everything that is wrong", "Configure"),
    Entry("config schema", "Print a JSON Schema for editors", "Configure"),
    Entry("config reload", "Make the server read cluster.toml again", "Configure"),
    Entry("server", "Run the control plane on this host", "Control plane"),
    Entry("shutdown", "End the control plane; workloads go on", "Control plane"),
    Entry("version", "Print the versions of client and server", "Help"),
    Entry("completion", "Print a completion script", "Help", SHELL),
)

PASSING_ON = "exec"
"""The command whose arguments are another command."""

GROUPS = {
    "secrets": "Keep, list and remove secrets",
    "config": "Check and reload the configuration",
}


def find(path: str) -> Entry | None:
    """The command with exactly this path."""
    return next((entry for entry in COMMANDS if entry.path == path), None)


def words() -> tuple[str, ...]:
    """What may follow `orca`."""
    return tuple(dict.fromkeys(entry.path.split()[0] for entry in COMMANDS))


def members(group: str) -> tuple[Entry, ...]:
    """The commands of a group."""
    return tuple(entry for entry in COMMANDS if entry.path.startswith(group + " "))

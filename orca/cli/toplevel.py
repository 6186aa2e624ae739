"""Help for `orca` and for its groups of commands, as plain text."""

from __future__ import annotations

from orca.cli import table

_OPTIONS = """\
Options that every command which talks to a server accepts:
  --home DIR    Where orca keeps its state             [ORCA_HOME, default ~/.orca]
  --api URL     Which server to talk to                [ORCA_API]
  --token TOKEN Credential for it                      [ORCA_TOKEN, default HOME/cluster.token]
  -o FORMAT     table, json or yaml (status: also wide)
  -y            Answer yes to every question
Options that commands which read the configuration accept:
  -C DIR        Where the configuration is             [ORCA_CONFIG_DIR, default: found upwards]
"""

_EXAMPLES = """\
Examples:
  orca server -d              start the control plane on this host
  orca deploy                 bring every service to what its file says
  orca status                 see what runs
  orca why web                see why it does not

`orca COMMAND --help` says more about a command. NO_COLOR=1 turns colours off.
"""


def overview() -> str:
    """What `orca --help` prints."""
    parts = [
        "Usage: orca COMMAND [OPTIONS] [ARGUMENTS]\n\nRun containers on 1 to a few hundred hosts.\n"
    ]
    for section in table.SECTIONS:
        rows = [(e.path, e.summary) for e in table.COMMANDS if e.section == section]
        parts.append(f"{section}:\n{_rows(rows)}")
    return "\n".join([*parts, _OPTIONS, _EXAMPLES])


def group(name: str) -> str:
    """What `orca GROUP --help` prints."""
    members = table.members(name)
    rows = [(entry.path.removeprefix(name + " "), entry.summary) for entry in members]
    usage = f"Usage: orca {name} COMMAND [OPTIONS] [ARGUMENTS]\n\n{table.GROUPS[name]}.\n"
    examples = f"Examples:\n  orca {members[0].path} --help\n"
    return "\n".join([usage, f"Commands:\n{_rows(rows)}", examples])


def _rows(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows) + 2
    return "".join(f"  {name:<{max(width, 12)}}{summary}\n" for name, summary in rows)

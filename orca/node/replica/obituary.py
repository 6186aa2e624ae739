"""Why a run ended, in words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from orca.node.runtime import Container

_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
_NO_COMMAND = re.compile(r"\[FATAL tini \(\d+\)\] exec (\S+) failed: (.+)")
"""With an init, Docker starts the init and only the init learns that the command does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obituary:
    """What is known of the last run that ended."""

    reason: str = ""
    hopeless: bool = False
    """No restart can mend it: the command does not exist."""
    told: str = ""
    """Why orca ended it, when orca did."""

    def because(self, reason: str) -> Obituary:
        """orca is about to end the run itself."""
        return replace(self, told=reason)

    def of(self, container: Container) -> Obituary:
        """The run of this container ended."""
        if self.hopeless:
            return self
        return replace(self, reason=self.told or _how(container), told="")

    def with_lines(self, lines: tuple[str, ...]) -> Obituary:
        """Its last lines were read."""
        found = next((match for line in lines if (match := _NO_COMMAND.search(line))), None)
        if found is None:
            return self
        reason = f"its command {found[1]} cannot be run in the image: {found[2].strip().lower()}"
        return replace(self, reason=reason, hopeless=True)


def _how(container: Container) -> str:
    code = container.exit_code
    if container.oom_killed:
        return "killed: out of memory (raise resources.memory, or find the leak)"
    if container.error:
        return f"Docker: {container.error}"
    if code > 128 and code - 128 in _SIGNALS:
        return f"killed by {_SIGNALS[code - 128]} (exit code {code})"
    return f"exited with code {code}"

"""Exit codes that are not an error's own (those are in `orca.errors`, next to their class)."""

from __future__ import annotations

OK = 0
NEGATIVE = 1
CHANGES = 10
CRASHED = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANING = {
    OK: "It was done, or there was nothing to do.",
    NEGATIVE: "The answer is no: a rollout failed, `status --ready` found something that is not "
    "running, a question was answered with no, or part of a log could not be read.",
    CHANGES: "`plan --exit-code` only: a deploy would change something.",
    CRASHED: "A fault of orca itself. The message says where the details are.",
    INTERRUPTED: "Ctrl-C. What the server has accepted goes on.",
    BROKEN_PIPE: "Whatever read the output stopped reading, as in `orca logs web | head`.",
}

"""Add up pytest's JUnit files: name what failed, then the sum in the form of pytest's own closing line.

The names come last, after pages of logs, because the end is what one sees of a CI run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

NAMED_MAX = 25
REASON_CHARACTERS_MAX = 300
PROBLEMS = {"failures": "failed", "errors": "errors", "skipped": "skipped"}


def main() -> None:
    """The arguments are the files."""
    suites = [suite for name in sys.argv[1:] for suite in read(Path(name))]
    broken = [line for suite in suites for line in problems(suite)]
    for line in broken[:NAMED_MAX]:
        print(line)
    if len(broken) > NAMED_MAX:
        print(f"... and {len(broken) - NAMED_MAX} more")
    print(summary(suites))


def summary(suites: list[ElementTree.Element]) -> str:
    """Pytest's closing line for all of them together."""
    total = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", *PROBLEMS)}
    passed = total["tests"] - sum(total[key] for key in PROBLEMS)
    counts = [f"{total[key]} {word}" for key, word in PROBLEMS.items() if total[key]]
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    return f"==== {', '.join([f'{passed} passed', *counts])} in {seconds:.2f}s ===="


def problems(suite: ElementTree.Element) -> Iterator[str]:
    """One line for each test that failed or could not run, with the first line of its reason."""
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            if (found := case.find(kind)) is not None:
                reason = (found.get("message") or "").strip().split("\n")[0]
                name = f"{case.get('classname')}::{case.get('name')}"
                yield f"{kind.upper()} {name}: {reason[:REASON_CHARACTERS_MAX]}"


def read(path: Path) -> list[ElementTree.Element]:
    """The suites of one file."""
    return ElementTree.parse(path).getroot().findall("testsuite")  # noqa: S314


if __name__ == "__main__":
    main()

"""Add up pytest's JUnit files and print the sum in the form of pytest's own closing line."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def main() -> None:
    """The arguments are the files."""
    suites = [suite for name in sys.argv[1:] for suite in read(Path(name))]
    total = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", *PROBLEMS)}
    passed = total["tests"] - sum(total[key] for key in PROBLEMS)
    counts = [f"{total[key]} {word}" for key, word in PROBLEMS.items() if total[key]]
    seconds = sum(float(suite.get("time", 0)) for suite in suites)
    print(f"==== {', '.join([f'{passed} passed', *counts])} in {seconds:.2f}s ====")


PROBLEMS = {"failures": "failed", "errors": "errors", "skipped": "skipped"}


def read(path: Path) -> list[ElementTree.Element]:
    """The suites of one file."""
    return ElementTree.parse(path).getroot().findall("testsuite")  # noqa: S314


if __name__ == "__main__":
    main()

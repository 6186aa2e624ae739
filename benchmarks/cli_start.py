"""P12, part 1: how long `orca --help` takes, beside `docker --help` where there is one.

Runs alternate, so that a busy moment of the machine meets both. Prints median and p99 of the wall
time and CPU seconds per run; with --json the raw figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

FIRST_MS, GOAL_MS = 250, 150
BOUND_SECONDS = 300
RUNS_MAX = 500


def main() -> int:
    """Measure and print; exit code 1 when "first" is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help=f"per program, at most {RUNS_MAX}")
    parser.add_argument("--json", type=Path, help="where to write the raw figures")
    arguments = parser.parse_args()
    # Not `subprocess.run(timeout=…)`: that polls, and its pauses would be part of the figures.
    signal.alarm(BOUND_SECONDS)
    figures = measure(min(arguments.runs, RUNS_MAX))
    for name, samples in figures.items():
        print(_line(name, samples))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))
        print(f"raw figures: {arguments.json}")
    median_ms = 1000 * statistics.median(wall for wall, _ in figures["orca --help"])
    print(f"P12 part 1: {median_ms:.0f} ms (first ≤ {FIRST_MS} ms, goal ≤ {GOAL_MS} ms)")
    return 0 if median_ms <= FIRST_MS else 1


def measure(runs: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of every run, by program."""
    programs = {"orca --help": [*_orca(), "--help"], "python -c pass": [sys.executable, "-c", ""]}
    if docker := shutil.which("docker"):
        programs["docker --help"] = [docker, "--help"]
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, command in programs.items():
            figures[name].append(_run(command))
    return figures


def _orca() -> list[str]:
    script = Path(sys.executable).with_name("orca")
    return [str(script)] if script.exists() else [sys.executable, "-m", "orca"]


def _run(command: list[str]) -> tuple[float, float]:
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system
    return wall, cpu - before.children_user - before.children_system


def _line(name: str, samples: list[tuple[float, float]]) -> str:
    walls = sorted(wall for wall, _ in samples)
    p99 = walls[min(len(walls) - 1, int(len(walls) * 0.99))]
    cpu = statistics.fmean(cpu for _, cpu in samples)
    return (
        f"{name:<16} median {1000 * statistics.median(walls):6.1f} ms   p99 {1000 * p99:6.1f} ms   "
        f"CPU {cpu:.3f} s per run   ({len(samples)} runs)"
    )


if __name__ == "__main__":
    raise SystemExit(main())

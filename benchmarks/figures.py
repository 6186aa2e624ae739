"""What all benchmarks share: medians, percentiles, where raw figures go, and what machine this is."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all samples do not exceed (nearest rank)."""
    ordered = sorted(samples)
    rank = max(1, math.ceil(percent / 100 * len(ordered)))
    return ordered[rank - 1]


def line(name: str, samples: Sequence[float], unit: str = "ms") -> str:
    """One row of a table: median, p99 and extremes."""
    return (
        f"{name:<44} median {statistics.median(samples):8.1f} {unit}  "
        f"p99 {percentile(samples, 99):8.1f} {unit}  "
        f"min {min(samples):8.1f}  max {max(samples):8.1f}  n={len(samples)}"
    )


def machine() -> str:
    """The machine in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}"


def keep(name: str, raw: Mapping[str, object]) -> Path:
    """Write raw figures to a file of their own, and say where."""
    handle, path = tempfile.mkstemp(prefix=f"orca-{name}-", suffix=".json")
    with os.fdopen(handle, "w") as file:
        json.dump({"machine": machine(), **raw}, file, indent=1)
    print(f"raw figures: {path}")
    return Path(path)

"""Memory, processor and time as people write them → bytes, cores, seconds.

Every parser refuses what two readers could understand differently (`512MB`, `512m`) instead of
guessing, because a wrong guess is a container without the limit its owner believes in.
All raise `errors.UserError`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from orca import errors

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_MEMORY_FACTORS = {
    "": 1,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_CPU = re.compile(r"(\d+(?:\.\d+)?)(m?)")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_DURATION_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def memory_bytes(value: object) -> int:
    """`"512Mi"`, `"1.5Gi"`, `"2G"` (decimal) or a plain number of bytes → bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _positive(value, value)
    if not isinstance(value, str):
        raise errors.UserError(f"not an amount of memory: {value!r}", hint='write "512Mi" or "1Gi"')
    found = _MEMORY.fullmatch(value.strip())
    if not found:
        raise errors.UserError(f'not an amount of memory: "{value}"', hint='write "512Mi" or "1Gi"')
    number, unit = found.groups()
    if unit not in _MEMORY_FACTORS:
        raise errors.UserError(
            f'unknown memory unit "{unit}" in "{value}"', hint=_unit_hint(number, unit)
        )
    size = Decimal(number) * _MEMORY_FACTORS[unit]
    if size != int(size):
        raise errors.UserError(
            f'"{value}" is not a whole number of bytes', hint="use a smaller unit"
        )
    return _positive(int(size), value)


def _positive(size: int, value: object) -> int:
    if size <= 0:
        raise errors.UserError(f"must be more than zero, not {value}")
    return size


def _unit_hint(number: str, unit: str) -> str:
    letter = unit[:1].upper()
    if letter not in {"K", "M", "G", "T"}:
        return "units are Ki, Mi, Gi, Ti (powers of 1024) and k, M, G, T (powers of 1000)"
    decimal = "k" if letter == "K" else letter
    return f'write "{number}{letter}i" (powers of 1024) or "{number}{decimal}" (powers of 1000)'


def memory_text(size_bytes: int) -> str:
    """Bytes in the largest binary unit that divides them exactly: 536870912 → `512Mi`."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size_bytes and size_bytes % _MEMORY_FACTORS[unit] == 0:
            return f"{size_bytes // _MEMORY_FACTORS[unit]}{unit}"
    return str(size_bytes)


def cpu_cores(value: object) -> float:
    """`1.5`, `"1.5"` or `"1500m"` → cores."""
    hint = 'write a number of cores, 0.5, or thousandths of one, "500m"'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise errors.UserError(f"not a number of cores: {value!r}", hint=hint)
    found = _CPU.fullmatch(str(value).strip())
    if not found:
        raise errors.UserError(f'not a number of cores: "{value}"', hint=hint)
    cores = Decimal(found[1]) / (1000 if found[2] else 1)
    if cores < Decimal("0.01"):
        raise errors.UserError(f"must be at least 0.01 cores, not {value}", hint=hint)
    return float(cores)


def duration_seconds(text: str) -> float:
    """`"90s"`, `"1m30s"`, `"2h"`, `"1d"`, `"500ms"` → seconds."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise errors.UserError(
            f'not a duration: "{text}"', hint='write "90s", "1m30s", "2h" or "1d"'
        )
    return sum(
        float(number) * factor
        for number, factor in zip(found.groups(), _DURATION_SECONDS, strict=True)
        if number
    )


def toml(value: object) -> str:
    """A scalar as TOML writes it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:57] + "…"}"'
    return str(value)


def shown(value: object) -> str:
    """A value as a message quotes it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return f"the text {toml(value)}" if isinstance(value, str) else toml(value)

"""A fault and the document it is in → the problem that a person reads."""

from __future__ import annotations

from dataclasses import replace

from orca.spec import problem, spelling
from orca.spec.fault import Fault, Path, dotted
from orca.spec.problem import Problem, Severity
from orca.spec.source import Document


def in_service(
    document: Document,
    index: int,
    fault: Fault,
    *,
    severity: Severity = "error",
    say_where: bool = True,
) -> Problem:
    data = document.data["service"][index]
    name = data.get("name")
    label = f'service[{index}] "{name}"' if isinstance(name, str) else f"service[{index}]"
    path = spelling.written(fault.path, data)
    return in_document(
        document,
        replace(fault, path=path),
        prefix=("service", index),
        label=label,
        severity=severity,
        say_where=say_where,
    )


def in_document(
    document: Document,
    fault: Fault,
    *,
    prefix: Path = (),
    label: str = "",
    severity: Severity = "error",
    say_where: bool = True,
) -> Problem:
    """The fault with its place; `say_where` unless the message itself names the key."""
    named = fault.path[:-1] if fault.message.startswith("unknown key") else fault.path
    words = [label, dotted(named) if say_where else "", fault.message]
    return problem.at(
        document,
        prefix + fault.path,
        ": ".join(word for word in words if word),
        hint=fault.hint,
        severity=severity,
        key=fault.at_key,
    )

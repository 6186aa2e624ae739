"""Everything under a configuration root → specs, with every problem of every file at once.

The hard part is to say all that is wrong and nothing that only follows from it: a service that cannot
be read still counts as existing when others depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orca import errors
from orca.spec import check, explain, files, paths, place, problem, references, spelling, support
from orca.spec.cluster import ClusterSpec, conflicting_spellings
from orca.spec.discover import CLUSTER_FILE, SERVICES_DIRECTORY
from orca.spec.fault import Fault
from orca.spec.files import ServiceFile
from orca.spec.problem import Problem, Severity
from orca.spec.service import ServiceSpec
from orca.spec.source import Document

_PROJECT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a configuration root holds.

    `services` are those without faults of their own. `problems` are errors; `unsupported` are keys that
    are right but whose feature does not exist yet.
    """

    root: Path
    cluster: ClusterSpec
    services: tuple[ServiceSpec, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unsupported: tuple[Problem, ...] = ()

    def require(self) -> Loaded:
        """Itself, when there are no problems. Raises `errors.InvalidConfig` with all of them."""
        if self.problems:
            raise errors.InvalidConfig(tuple(found.render() for found in self.problems))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One `[[service]]`: where it stands and what it says.

    Of a service that is not `sound`, `spec` has the names and dependencies only.
    """

    document: Document
    index: int
    spec: ServiceSpec
    sound: bool

    def problem(
        self, fault: Fault, *, severity: Severity = "error", say_where: bool = True
    ) -> Problem:
        return place.in_service(
            self.document, self.index, fault, severity=severity, say_where=say_where
        )


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unsupported: list[Problem] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)  # refs that are written, understood or not
    unreadable: set[str] = field(default_factory=set)  # projects whose services nobody can know


def load(root: Path) -> Loaded:
    """Read and check everything under `root`. Problems are in the result, never raised."""
    root = root.resolve()
    findings = _Findings()
    cluster = _cluster(root, findings)
    entries = list(_entries(root, findings))
    for conflict in _dependencies([entry.spec for entry in entries], findings):
        findings.problems.append(entries[conflict.index].problem(conflict.fault))
    sound = [entry for entry in entries if entry.sound]
    specs = [entry.spec for entry in sound]
    for conflict in check.conflicts(specs, cluster):
        findings.problems.append(sound[conflict.index].problem(conflict.fault))
    for entry in sound:
        findings.unsupported += [
            entry.problem(fault, say_where=False) for fault in support.faults(entry.spec)
        ]
        findings.warnings += [
            entry.problem(fault, severity="warning") for fault in _misplaced(entry.spec)
        ]
    return Loaded(
        root=root,
        cluster=cluster or ClusterSpec(),
        services=tuple(specs),
        problems=_sorted(findings.problems),
        warnings=_sorted(findings.warnings),
        unsupported=_sorted(findings.unsupported),
    )


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(
        sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column, p.message))
    )


def _cluster(root: Path, findings: _Findings) -> ClusterSpec | None:
    """The cluster's spec: defaults without a file, None when the file has problems."""
    document, problems = files.read_cluster(root)
    findings.problems += problems
    if document is None:
        if not problems and not (root / SERVICES_DIRECTORY).is_dir():
            message = f"neither {CLUSTER_FILE} nor {SERVICES_DIRECTORY}/ is here; defaults are used"
            findings.warnings.append(problem.whole_file(".", message, severity="warning"))
        return None if problems else ClusterSpec()
    try:
        spec = ClusterSpec.model_validate(document.data)
    except ValidationError as error:
        for fault in (*explain.faults(error, ClusterSpec), *references.malformed(document.data)):
            findings.problems.append(place.in_document(document, fault))
        return None
    for fault in conflicting_spellings(spec):
        findings.warnings.append(place.in_document(document, fault, severity="warning"))
    findings.unsupported += [
        place.in_document(document, fault, say_where=False) for fault in support.faults(spec)
    ]
    store, faults = paths.store_files(spec.store, root=root)
    findings.problems += [place.in_document(document, fault) for fault in faults]
    return spec.model_copy(update={"store": store})


def _entries(root: Path, findings: _Findings) -> Iterator[_Entry]:
    found, warnings = files.read_services(root)
    findings.warnings += warnings
    for file in found:
        findings.problems += file.problems
        if file.document is None:
            findings.unreadable.add(file.project)
            continue
        for index, data in enumerate(_tables(file, file.document, findings)):
            entry = _entry(file, file.document, index, data, root, findings)
            if entry is not None:
                yield entry


def _tables(file: ServiceFile, document: Document, findings: _Findings) -> list[dict[str, Any]]:
    """The `[[service]]` tables of a file; what else stands in it is a problem."""
    wrong = _outside_services(document)
    if not _PROJECT.fullmatch(file.project):
        message = f'not a name for a project: "{file.project}"'
        hint = "rename the directory: lower-case letters, digits and '-'"
        wrong.append(problem.whole_file(f"{SERVICES_DIRECTORY}/{file.project}", message, hint=hint))
    findings.problems += wrong
    tables = document.data.get("service")
    if tables is None and not wrong:
        message, hint = "ignored: it declares no service", "write [[service]]"
        findings.warnings.append(
            problem.whole_file(document.name, message, hint=hint, severity="warning")
        )
    usable = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not usable or not _PROJECT.fullmatch(file.project):
        findings.unreadable.add(file.project)
        return []
    return list(tables or ())


def _outside_services(document: Document) -> list[Problem]:
    found = []
    for key in document.data:
        if key != "service":
            message = f'unknown key "{key}"{explain.did_you_mean(key, ["service"])}'
            hint = "" if "; did" in message else "everything in a service.toml is under [[service]]"
            found.append(problem.at(document, (key,), message, hint=hint, key=True))
    tables = document.data.get("service", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        message = '"service" must be an array of tables'
        hint = "write [[service]] above each service, with two brackets"
        found.append(problem.at(document, ("service",), message, hint=hint))
    return found


def _entry(
    file: ServiceFile,
    document: Document,
    index: int,
    data: dict[str, Any],
    root: Path,
    findings: _Findings,
) -> _Entry | None:
    """One service; None when not even its name can be understood."""
    findings.declared.add(f"{file.project}/{data.get('name')}")
    spec, faults = _service(file, data, root)
    findings.problems += [place.in_service(document, index, fault) for fault in faults]
    if spec is not None:
        return _Entry(document=document, index=index, spec=spec, sound=not faults)
    spec = _skeleton(file.project, data)
    return _Entry(document=document, index=index, spec=spec, sound=False) if spec else None


def _service(
    file: ServiceFile, data: dict[str, Any], root: Path
) -> tuple[ServiceSpec | None, list[Fault]]:
    faults: list[Fault] = []
    if data.get("project", file.project) != file.project:
        hint = f'leave it out, or write "{file.project}"'
        message = "the project is the directory's name"
        faults.append(Fault(path=("project",), message=message, hint=hint))
    try:
        spec = ServiceSpec.model_validate({**data, "project": file.project})
    except ValidationError as error:
        faults += [*explain.faults(error, ServiceSpec), *references.malformed(data)]
        return None, faults
    mounts, missing = paths.mounts(spec.mounts, root=root, directory=file.directory)
    return spec.model_copy(update={"mounts": mounts}), [*faults, *missing]


def _skeleton(project: str, data: dict[str, Any]) -> ServiceSpec | None:
    """Enough of a faulty service to check whether dependencies hold together."""
    known = {"name": data.get("name"), "depends_on": data.get("depends_on", ())}
    try:
        return ServiceSpec.model_validate({**known, "project": project, "image": "faulty"})
    except ValidationError:
        return None


def _dependencies(specs: Sequence[ServiceSpec], findings: _Findings) -> Iterable[check.Conflict]:
    hidden = {
        ref
        for spec in specs
        for ref in spec.dependencies
        if ref.split("/")[0] in findings.unreadable
    }
    return check.dependencies(specs, findings.declared | hidden)


def _misplaced(spec: ServiceSpec) -> list[Fault]:
    """Variables with the name of a key: in TOML a key belongs to the last header above it."""
    keys = set(ServiceSpec.model_fields) | set(spelling.SCHEMA)
    return [
        Fault(
            path=("env", name),
            message=f'"{name}" is a variable here, because it stands under [service.env]',
            hint="keys of the service itself come before its first [service.…] header",
            at_key=True,
        )
        for name in spec.env
        if name in keys
    ]

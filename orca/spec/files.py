"""Configuration files → documents. The only module here that reads from disk, besides `discover`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orca.spec import problem, source
from orca.spec.discover import CLUSTER_FILE, SERVICE_FILE, SERVICES_DIRECTORY
from orca.spec.problem import Problem
from orca.spec.source import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFile:
    """One `service.toml`: its project, and its content or why there is none."""

    project: str
    directory: Path
    document: Document | None
    problems: tuple[Problem, ...] = ()


def read_cluster(root: Path) -> tuple[Document | None, tuple[Problem, ...]]:
    """The document of `cluster.toml`; None without problems when there is no such file."""
    path = root / CLUSTER_FILE
    if not path.exists() and not path.is_symlink():
        return None, ()
    return _read(path, root)


def read_services(root: Path) -> tuple[tuple[ServiceFile, ...], tuple[Problem, ...]]:
    """Every `services/<project>/service.toml` in order of project, and warnings about what is not one."""
    base = root / SERVICES_DIRECTORY
    if not base.is_dir():
        return (), ()
    found: list[ServiceFile] = []
    warnings: list[Problem] = []
    for path in sorted(entry for entry in base.iterdir() if not entry.name.startswith(".")):
        if (path / SERVICE_FILE).exists() or (path / SERVICE_FILE).is_symlink():
            document, problems = _read(path / SERVICE_FILE, root)
            found.append(
                ServiceFile(project=path.name, directory=path, document=document, problems=problems)
            )
        elif path.is_dir() or path.suffix == ".toml":
            warnings.append(_stray(path, root))
    return tuple(found), tuple(warnings)


def _stray(path: Path, root: Path) -> Problem:
    if path.is_dir():
        message, hint = f"ignored: there is no {SERVICE_FILE} in it", ""
    else:
        message = "ignored: services are read from a directory for each project"
        hint = f"move it to {SERVICES_DIRECTORY}/{path.stem}/{SERVICE_FILE}"
    return problem.whole_file(_name(path, root), message, hint=hint, severity="warning")


def _read(path: Path, root: Path) -> tuple[Document | None, tuple[Problem, ...]]:
    name = _name(path, root)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return None, (_not_text(path, name, error),)
    except OSError as error:
        return None, (problem.whole_file(name, f"cannot be read: {error.strerror}"),)
    try:
        return source.parse(text, name=name), ()
    except source.BrokenToml as error:
        return None, (problem.broken(error, name=name, text=text),)


def _not_text(path: Path, name: str, error: UnicodeDecodeError) -> Problem:
    before = bytes(error.object[: error.start])
    line = before.count(b"\n") + 1
    column = len(before.rsplit(b"\n", 1)[-1].decode(errors="replace")) + 1
    return Problem(
        file=name, line=line, column=column, message="not UTF-8 text", hint="save the file as UTF-8"
    )


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()

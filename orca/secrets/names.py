"""What secrets are called, and where a name holds.

A secret belongs to the cluster or to one project. The same name may exist in both: inside the project
its own value counts (`resolve.scoped`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

from orca import errors
from orca.spec import references

SecretName = NewType("SecretName", str)

NAME_CHARS_MAX = 128
_NAME = re.compile(references.NAME_PATTERN)
_PROJECT_PREFIX = "project:"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Where a secret holds: in one project, or, with an empty `project`, in the whole cluster.

    Written `cluster` or `project:<name>`, so that a project called `cluster` is not mistaken for it.
    """

    project: str = ""

    def __str__(self) -> str:
        return f"{_PROJECT_PREFIX}{self.project}" if self.project else "cluster"

    @property
    def is_cluster(self) -> bool:
        return not self.project

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read `cluster` or `project:<name>`; raises `ValueError` for anything else."""
        if text == "cluster":
            return CLUSTER
        project = text.removeprefix(_PROJECT_PREFIX)
        if project == text or not project or "/" in project:
            raise ValueError(f"{text!r} is neither 'cluster' nor 'project:<name>'")
        return cls(project)


CLUSTER = Scope()


def secret_name(text: str) -> SecretName:
    """Check a name; raises `errors.UserError` when `${secrets.<name>}` could not be written with it."""
    if not _NAME.fullmatch(text):
        raise errors.UserError(
            f"{text!r} is not a name for a secret",
            hint="Use letters, digits, '_' and '-', and begin with a letter or '_'.",
        )
    if len(text) > NAME_CHARS_MAX:
        raise errors.UserError(
            f"the name {text[:20]!r}… has {len(text)} characters; {NAME_CHARS_MAX} are allowed"
        )
    return SecretName(text)


def qualified(scope: Scope, name: SecretName) -> str:
    """`cluster/NAME` or `project:web/NAME`: one secret of the cluster, in text."""
    return f"{scope}/{name}"

"""Names and scopes of secrets."""

from __future__ import annotations

import pytest

from orca import errors
from orca.secrets.names import CLUSTER, NAME_CHARS_MAX, Scope, SecretName, qualified, secret_name


@pytest.mark.parametrize("text", ["A", "_x", "DB_PASSWORD", "a1", "A" * NAME_CHARS_MAX])
def test_name_that_can_be_referred_to_is_accepted(text: str) -> None:
    assert secret_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "1A", "A B", "A.B", "A/B", "é", "A\n", "${secrets.A}", "A" * (NAME_CHARS_MAX + 1)]
)
def test_name_that_cannot_be_referred_to_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError):
        secret_name(text)


@pytest.mark.parametrize("scope", [CLUSTER, Scope("web"), Scope("cluster")])
def test_scope_reads_back_what_it_writes(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize("text", ["", "web", "project:", "project:a/b", "Cluster"])
def test_scope_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Scope.parse(text)


def test_project_called_cluster_is_not_the_cluster() -> None:
    name = SecretName("A")
    assert qualified(Scope("cluster"), name) != qualified(CLUSTER, name)

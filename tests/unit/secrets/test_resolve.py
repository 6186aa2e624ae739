"""`${secrets.X}` becomes its value, or the whole thing is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.secrets import resolve
from orca.secrets.names import CLUSTER, Scope
from orca.secrets.value import SecretValue

VALUES = {"USER": SecretValue("ada"), "PASSWORD": SecretValue("p@ss${secrets.USER}\\1")}
LOOKUP = VALUES.get


def test_text_without_references_is_unchanged() -> None:
    assert resolve.resolve("plain $HOME ${OTHER}", LOOKUP) == "plain $HOME ${OTHER}"


def test_every_reference_is_replaced_once_and_values_are_not_searched() -> None:
    text = "postgres://${secrets.USER}:${secrets.PASSWORD}@db/${secrets.USER}"
    assert resolve.resolve(text, LOOKUP) == "postgres://ada:p@ss${secrets.USER}\\1@db/ada"


@given(st.text().filter(lambda text: "\0" not in text))
def test_any_text_value_arrives_as_it_is(value: str) -> None:
    found = resolve.resolve("<${secrets.X}>", {"X": SecretValue(value)}.get)
    assert found == f"<{value}>"


def test_all_missing_names_are_reported_at_once_with_their_places() -> None:
    texts = {"URL": "${secrets.B}/${secrets.A}", "KEY": "${secrets.B}", "OK": "${secrets.USER}"}
    with pytest.raises(errors.MissingSecret) as caught:
        resolve.resolve_mapping(texts, LOOKUP, place="web/api env", project="web")
    assert caught.value.message == (
        "2 secrets have no value: A (web/api env.URL), B (web/api env.URL, web/api env.KEY)"
    )
    assert caught.value.hint == (
        "orca secrets set A --project web; orca secrets set B --project web"
    )


def test_missing_name_in_a_single_text_names_its_place() -> None:
    with pytest.raises(errors.MissingSecret, match=r"^1 secret has no value: X \(acme\.email\)$"):
        resolve.resolve("${secrets.X}", LOOKUP, place="acme.email")


@pytest.mark.parametrize("text", ["${secrets.}", "${secrets.1A}", "${secrets.USER", "${secret.X}"])
def test_text_that_only_looks_like_a_reference_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError, match="malformed"):
        resolve.resolve(text, LOOKUP)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b"])
def test_value_that_is_not_text_is_refused_inside_a_string(content: bytes) -> None:
    with pytest.raises(errors.UserError, match="not text") as caught:
        resolve.resolve("${secrets.X}", {"X": SecretValue(content)}.get)
    assert "file" in caught.value.hint


def test_empty_value_is_a_value() -> None:
    assert resolve.resolve("[${secrets.X}]", {"X": SecretValue("")}.get) == "[]"


def test_project_value_shadows_the_clusters() -> None:
    lookup = resolve.scoped(
        {"A": SecretValue("mine")}, {"A": SecretValue("x"), "B": VALUES["USER"]}
    )
    assert resolve.resolve("${secrets.A} ${secrets.B}", lookup) == "mine ada"
    assert lookup("C") is None


def test_empty_project_value_shadows_the_clusters() -> None:
    lookup = resolve.scoped({"A": SecretValue("")}, {"A": SecretValue("x")})
    assert resolve.resolve("${secrets.A}", lookup) == ""


def test_scope_that_supplies_a_name_is_the_nearest_that_has_it() -> None:
    have = {(Scope("web"), "A"), (CLUSTER, "A"), (CLUSTER, "B")}

    def scope_of(name: str, project: str) -> Scope | None:
        return resolve.scope_of(name, project=project, known=lambda scope, n: (scope, n) in have)

    assert scope_of("A", "web") == Scope("web")
    assert scope_of("A", "api") == CLUSTER
    assert scope_of("B", "") == CLUSTER
    assert scope_of("C", "web") is None

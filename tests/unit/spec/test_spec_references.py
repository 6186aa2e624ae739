from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.spec import references
from orca.spec.service import ServiceSpec

NAMES = st.from_regex(references.NAME_PATTERN, fullmatch=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("plain", ()),
        ("${secrets.A}", ("A",)),
        ("postgres://${secrets.USER}:${secrets.PASS}@db/${secrets.USER}", ("USER", "PASS")),
        ("${HOME} $secrets.A {secrets.A} ${SECRET} ${secretary}", ()),
    ],
)
def test_names_are_found_once_in_order(text: str, names: tuple[str, ...]) -> None:
    assert references.secret_names(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "${secrets.}",
        "${secrets.A",
        "${secret.A}",
        "${Secrets.A}",
        "${secrets.1A}",
        "${secrets.A B}",
        "${ secrets.A }",
        "${secrets.A} and ${secrets.}",
    ],
)
def test_what_only_looks_like_a_reference_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError, match="malformed secret reference") as caught:
        references.secret_names(text)
    assert "${secrets.NAME}" in caught.value.hint


@given(st.lists(st.tuples(st.text(alphabet="ab $/:@"), NAMES)), st.text(alphabet="${}secrets.A"))
def test_substitution_replaces_exactly_the_references(
    parts: list[tuple[str, str]], value: str
) -> None:
    text = "".join(f"{before}${{secrets.{name}}}" for before, name in parts)
    assert references.substitute(text, lambda _: value) == "".join(b + value for b, _ in parts)


def test_secrets_of_a_service_are_found_wherever_they_stand() -> None:
    spec = ServiceSpec.model_validate(
        {
            "name": "app",
            "image": "${secrets.REGISTRY}/app:1",
            "command": ["serve", "--key=${secrets.KEY}"],
            "env": {"URL": "${secrets.USER}:${secrets.PASS}"},
            "secrets": ["CERT"],
            "labels": {"note": "no secret"},
        }
    )
    assert references.secrets_in(spec) == {
        "image": ("REGISTRY",),
        "command[1]": ("KEY",),
        "env.URL": ("USER", "PASS"),
        "secrets[0]": ("CERT",),
    }

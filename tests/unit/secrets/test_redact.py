"""Known values disappear from every text, in every form they travel in."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.secrets.redact import Redactor
from orca.secrets.value import MASK, SecretValue

SECRET = 'p@ss/w+rd "7"'
REDACTOR = Redactor([SecretValue(SECRET)])


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
    ],
)
def test_value_is_replaced_in_each_form(form: str) -> None:
    assert REDACTOR.text(f"before {form} after") == f"before {MASK} after"


@given(prefix=st.binary(max_size=9), suffix=st.binary(max_size=9))
def test_value_inside_a_longer_base64_text_cannot_be_read_back(
    prefix: bytes, suffix: bytes
) -> None:
    header = base64.b64encode(prefix + SECRET.encode() + suffix).decode()
    redacted = REDACTOR.text(f"Basic {header}")
    assert MASK in redacted
    # At most the characters at its edges, which mix its bits with its neighbours', are left.
    assert len(redacted) - len(MASK) <= len(f"Basic {header}") - len(SECRET)


text_values = st.text(min_size=4, max_size=40).filter(lambda text: len(text.strip()) >= 4)


@given(value=text_values, before=st.text(), after=st.text())
def test_no_known_value_survives_in_any_text(value: str, before: str, after: str) -> None:
    redacted = Redactor([SecretValue(value)]).text(before + value + after)
    assert value not in redacted.replace(MASK, "\0") or value in MASK


@given(st.text())
def test_text_without_known_values_is_unchanged(text: str) -> None:
    assert Redactor([SecretValue("zzzz-unlikely-zzzz")]).text(text) == text


def test_value_that_contains_another_leaves_no_piece() -> None:
    redactor = Redactor([SecretValue("hunter"), SecretValue("hunter2-long")])
    assert redactor.text("x hunter2-long y hunter z") == f"x {MASK} y {MASK} z"


def test_value_of_several_lines_is_replaced_line_by_line() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nAgEAAoIBAQ\n-----END KEY-----\n"
    redactor = Redactor([SecretValue(pem)])
    assert redactor.text("line: MIIEvQIBADANBg") == f"line: {MASK}"
    assert redactor.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"
    assert redactor.text(f"all: {pem}") == f"all: {MASK}"


def test_value_read_with_its_final_newline_is_found_without_it() -> None:
    assert Redactor([SecretValue("hunter2\n")]).text("is hunter2.") == f"is {MASK}."


@pytest.mark.parametrize("short", ["", "a", "yes"])
def test_value_too_short_to_tell_is_left_alone(short: str) -> None:
    assert Redactor([SecretValue(short)]).text("a yes base64 eWVz") == "a yes base64 eWVz"


def test_binary_value_is_found_as_base64() -> None:
    key = bytes(range(200, 232))
    assert Redactor([SecretValue(key)]).text(base64.b64encode(key).decode()) == MASK


def test_nested_data_is_searched_with_its_keys_and_its_objects() -> None:
    class Holder:
        def __repr__(self) -> str:
            return f"Holder({SECRET})"

    data = {
        "env": [{"A": f"x{SECRET}"}],
        SECRET: 1,
        "n": 5,
        "none": None,
        "o": Holder(),
        "t": (SECRET,),
    }
    assert REDACTOR.data(data) == {
        "env": [{"A": f"x{MASK}"}],
        MASK: 1,
        "n": 5,
        "none": None,
        "o": f"Holder({MASK})",
        "t": [MASK],
    }


def test_processor_redacts_an_event() -> None:
    event = {"event": "started", "error": f"env PASSWORD={SECRET}"}
    assert REDACTOR(None, "info", event) == {
        "event": "started",
        "error": f"env PASSWORD={MASK}",
    }


def test_values_learned_later_are_redacted_beside_the_older_ones() -> None:
    redactor = Redactor([SecretValue("first-value")])
    redactor.learn([SecretValue("second-value")])
    assert redactor.text("first-value second-value") == f"{MASK} {MASK}"
    assert "value" not in repr(redactor).replace("values", "")

"""A secret's value does not print itself."""

from __future__ import annotations

import pickle
import traceback

import pytest

from orca import errors
from orca.secrets.value import SecretValue

VALUE = SecretValue("hunter2")


def test_value_is_masked_wherever_it_is_printed() -> None:
    for text in (repr(VALUE), str(VALUE), f"{VALUE}", f"{VALUE!r:>30}", repr({"a": [VALUE]})):
        assert "hunter2" not in text


def test_value_is_given_when_asked_for() -> None:
    assert VALUE.reveal() == b"hunter2"
    assert VALUE.reveal_text() == "hunter2"
    assert len(VALUE) == 7


def test_value_compares_by_content() -> None:
    assert SecretValue(b"hunter2") == VALUE
    assert SecretValue("hunter3") != VALUE
    assert VALUE != "hunter2"
    assert {VALUE, SecretValue("hunter2")} == {VALUE}


def test_value_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="seal it"):
        pickle.dumps(VALUE)


def test_error_for_a_value_that_is_not_text_does_not_quote_it() -> None:
    value = SecretValue(bytes.fromhex("68756e74657232ff"))
    with pytest.raises(errors.UserError) as caught:
        value.reveal_text()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))

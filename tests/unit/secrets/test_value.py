"""A secret's value does not print itself."""

from __future__ import annotations

import pickle
import traceback

import pytest

from orca import errors
from orca.secrets.value import SecretValue, from_input

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


@pytest.mark.parametrize("typed", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_line_break_at_the_end_of_input_is_not_part_of_the_value(typed: bytes) -> None:
    assert from_input(typed) == VALUE


def test_only_one_line_break_is_taken_from_input() -> None:
    assert from_input(b"hunter2 \n\n").reveal() == b"hunter2 \n"


@pytest.mark.parametrize("typed", [b"", b"\n"])
def test_input_without_a_value_is_refused(typed: bytes) -> None:
    with pytest.raises(errors.UserError, match="empty"):
        from_input(typed)

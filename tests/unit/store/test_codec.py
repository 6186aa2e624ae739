"""Records across one version of difference."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.store.base import KeyValue
from orca.store.codec import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    name: str
    count: int = 1
    tags: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Empty:
    pass


CODEC = Codec(Thing, schema="thing")


def stored(value: bytes) -> KeyValue:
    return KeyValue(key="/orca/c/things/a", value=value, mod_revision=1, create_revision=1)


@given(
    st.builds(
        Thing,
        name=st.text(),
        count=st.integers(-(2**53), 2**53),
        tags=st.lists(st.text()).map(tuple),
        notes=st.dictionaries(st.text(), st.text()),
    )
)
def test_record_comes_back_as_it_was(thing: Thing) -> None:
    assert CODEC.decode(stored(CODEC.encode(thing))) == thing


def test_encoded_record_says_what_it_is() -> None:
    written = json.loads(CODEC.encode(Thing(name="a")))
    assert written == {"schema": "thing/1", "name": "a", "count": 1, "tags": [], "notes": {}}


def test_record_without_fields_is_encoded_too() -> None:
    codec = Codec(Empty, schema="empty")
    assert codec.encode(Empty()) == b'{"schema":"empty/1"}'
    assert codec.decode_value("/k", codec.encode(Empty())) == Empty()


def test_field_of_a_newer_version_is_skipped_and_a_missing_one_takes_its_default() -> None:
    newer = stored(b'{"schema":"thing/1","name":"a","colour":"red"}')
    assert CODEC.decode(newer) == Thing(name="a")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"schema":"thing/1"}',
        b'{"schema":"thing/1","name":3}',
        b'{"schema":"thing/1","name":"\xff"}',
    ],
)
def test_value_that_is_no_record_is_reported_with_its_key(value: bytes) -> None:
    with pytest.raises(errors.OrcaError, match="/orca/c/things/a in the store is not a thing/1"):
        CODEC.decode(stored(value))


@pytest.mark.parametrize("schema", ["thing/2", "node/1"])
def test_record_of_another_schema_is_refused_by_name(schema: str) -> None:
    value = json.dumps({"schema": schema, "name": "a"}).encode()
    with pytest.raises(errors.OrcaError, match=f"is a {schema} record, not thing/1") as caught:
        CODEC.decode(stored(value))
    assert "newer orca" in caught.value.hint

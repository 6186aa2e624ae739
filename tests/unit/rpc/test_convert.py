"""Every message has a protobuf twin, and survives the journey."""

import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orca.model.ids import ServiceId
from orca.model.replica import ReplicaState
from orca.rpc import convert, messages

ENVELOPES: list[tuple[typing.Any, typing.Any, typing.Any]] = [
    (messages.NodeMessage, convert.node_to_wire, convert.node_from_wire),
    (messages.MasterMessage, convert.master_to_wire, convert.master_from_wire),
    (messages.ProxyMessage, convert.proxy_to_wire, convert.proxy_from_wire),
    (messages.ProxyCommand, convert.command_to_wire, convert.command_from_wire),
]
NAMES = st.text("abcdefghij-", min_size=1, max_size=8)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**62), 2**62))
st.register_type_strategy(ReplicaState, st.sampled_from(ReplicaState))
st.register_type_strategy(ServiceId, st.builds(ServiceId, NAMES, NAMES))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


@pytest.mark.parametrize(
    ("cls", "to_wire", "from_wire"),
    [(arm, *pair) for union, *pair in ENVELOPES for arm in typing.get_args(union)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_message_survives_the_wire(cls: type, to_wire: typing.Any, from_wire: typing.Any) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.from_type(cls))
    def round_trip(message: object) -> None:
        encoded = to_wire(message)
        decoded = type(encoded).FromString(encoded.SerializeToString())
        assert from_wire(decoded) == message

    round_trip()


@given(st.from_type(messages.StreamChunk))
def test_chunk_survives_the_wire(chunk: messages.StreamChunk) -> None:
    assert convert.chunk_from_wire(convert.chunk_to_wire(chunk)) == chunk


def test_envelope_of_a_newer_peer_is_skipped() -> None:
    assert (
        convert.node_from_wire(type(convert.node_to_wire(messages.Heartbeat(sequence=1)))()) is None
    )

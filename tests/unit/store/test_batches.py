"""Splitting and checking transactions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.store import batches, etcd_wire
from orca.store.base import Delete, DeletePrefix, Put, Transaction, Write


def put_large(key: str) -> Put:
    return Put(key, b"x" * 60_000)


WRITES = st.lists(
    st.one_of(
        st.builds(put_large, st.text(min_size=1, max_size=20)),
        st.builds(Put, st.text(min_size=1, max_size=20), st.binary(max_size=50)),
        st.builds(Delete, st.text(min_size=1, max_size=20)),
    ),
    max_size=400,
    unique_by=lambda write: write.key,
)


@given(WRITES)
def test_every_batch_fits_and_together_they_are_the_writes(writes: list[Write]) -> None:
    made = list(batches.split(writes))
    assert [write for batch in made for write in batch] == writes
    for batch in made:
        assert batch
        batches.check(Transaction(writes=batch))


def test_batches_are_as_few_as_the_count_allows() -> None:
    writes = [Delete(str(number)) for number in range(3 * batches.OPS_MAX)]
    assert [len(batch) for batch in batches.split(writes)] == [batches.OPS_MAX] * 3


def test_value_too_large_for_any_transaction_gets_a_batch_of_its_own_to_be_refused() -> None:
    large = Put("big", bytes(batches.BYTES_MAX))
    assert list(batches.split([Delete("a"), large, Delete("b")])) == [
        (Delete("a"),),
        (large,),
        (Delete("b"),),
    ]


def test_empty_prefix_is_never_deleted() -> None:
    with pytest.raises(ValueError, match="whole store"):
        batches.check(Transaction(writes=(DeletePrefix(""),)))


@given(st.text(min_size=1), st.text())
def test_prefix_end_lies_after_every_key_with_the_prefix_and_before_no_other(
    prefix: str, key: str
) -> None:
    raw, end = key.encode(), etcd_wire.prefix_end(prefix)
    inside = prefix.encode() <= raw < end
    assert inside == key.startswith(prefix)

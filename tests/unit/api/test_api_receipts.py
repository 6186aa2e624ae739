"""Receipts: bounded, and told apart by caller, key and content."""

from __future__ import annotations

import pytest

from orca import errors
from orca.master.api import receipts
from orca.master.api.receipts import Kept, Receipts, fingerprint

OK = Kept(status=200, body=b"done", content_type="application/json")


async def once(
    kept: Receipts, key: str, answer: Kept = OK, mark: bytes = b"m"
) -> tuple[Kept, bool]:
    async def work() -> Kept:
        return answer

    return await kept.once(("me", key), mark, work)


async def test_number_of_receipts_is_bounded() -> None:
    kept = Receipts(now=lambda: 0.0)
    for number in range(receipts.RECEIPTS_MAX + 50):
        await once(kept, str(number))
    assert len(kept) == receipts.RECEIPTS_MAX
    assert (await once(kept, "0"))[1] is False
    assert (await once(kept, str(receipts.RECEIPTS_MAX + 49)))[1] is True


async def test_receipts_leave_when_they_are_too_old() -> None:
    now = [0.0]
    kept = Receipts(now=lambda: now[0])
    await once(kept, "a")
    now[0] = receipts.AGE_SECONDS_MAX - 1
    assert (await once(kept, "a"))[1] is True
    now[0] = receipts.AGE_SECONDS_MAX
    assert (await once(kept, "b"))[1] is False
    assert len(kept) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Kept(status=409, body=b"", content_type=""),
        Kept(status=200, body=b"x" * (receipts.BODY_BYTES_MAX + 1), content_type=""),
    ],
    ids=["failure", "large"],
)
async def test_answer_that_is_not_kept_is_made_again(answer: Kept) -> None:
    kept = Receipts(now=lambda: 0.0)
    await once(kept, "a", answer)
    assert await once(kept, "a") == (OK, False)


async def test_work_that_raises_leaves_the_key_free_for_another_request() -> None:
    kept = Receipts(now=lambda: 0.0)

    async def work() -> Kept:
        raise errors.NoNode("No node.")

    with pytest.raises(errors.NoNode):
        await kept.once(("me", "a"), b"m", work)
    assert await once(kept, "a", mark=b"other") == (OK, False)


def test_fingerprint_knows_where_its_parts_end() -> None:
    assert fingerprint(b"a", b"bc") != fingerprint(b"ab", b"c")
    assert fingerprint(b"a", b"") != fingerprint(b"a")

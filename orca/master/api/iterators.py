"""Closing what a stream reads from. An `AsyncIterator` need not have `aclose`; a generator has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def closing(items: AsyncIterator[Any]) -> AsyncIterator[None]:
    """End `items` with the block, so that what it holds is let go now and not at collection."""
    try:
        yield
    finally:
        aclose = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()

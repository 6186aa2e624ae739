"""Records as JSON: frozen dataclasses to bytes and back, across one version of difference.

Every value carries `"schema": "<name>/<major>"`, so that a human, or a later orca, can tell what it
is looking at. Fields may come with a default and go at any time: what is unknown is skipped, what is
missing takes its default. A change that this cannot bridge raises the major number, and then a reader
refuses instead of guessing.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from orca import errors
from orca.store.records import KeyValue

RecordT = TypeVar("RecordT")


class _Tag(msgspec.Struct):
    schema: str


class Codec(Generic[RecordT]):
    """The encoding of one dataclass. It must not have a field named `schema`."""

    def __init__(self, record_type: type[RecordT], *, schema: str, major: int = 1) -> None:
        self.schema = f"{schema}/{major}"
        self._head = b'{"schema":' + msgspec.json.encode(self.schema)
        self._tag = msgspec.json.Decoder(_Tag)
        self._record = msgspec.json.Decoder(record_type)

    def encode(self, record: RecordT) -> bytes:
        """The record as one JSON object; the same record always gives the same bytes."""
        body = msgspec.json.encode(record)
        return self._head + (b"}" if body == b"{}" else b"," + body[1:])

    def decode(self, item: KeyValue) -> RecordT:
        """The record in an item; raises OrcaError naming the key if it is not one."""
        return self.decode_value(item.key, item.value)

    def decode_value(self, key: str, value: bytes) -> RecordT:
        """Like `decode`, for a value that did not come as a `KeyValue`."""
        try:
            schema = self._tag.decode(value).schema
            if schema == self.schema:
                return self._record.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.OrcaError(
                f"The value of {key} in the store is not a {self.schema} record: {error}.",
                hint="It was not written by orca, or is damaged; restore it from a backup.",
            ) from error
        raise errors.OrcaError(
            f"The value of {key} in the store is a {schema} record, not {self.schema}.",
            hint="A newer orca may have written it; run the same version on every master.",
        )

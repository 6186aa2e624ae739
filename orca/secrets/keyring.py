"""The master key: the one key that is kept on the hosts' disks and never in etcd.

Every value has a data key of its own; the master key only wraps those (`envelope.py`). Who has etcd
without this file has nothing, and who loses this file has lost the secrets.

The file holds one key per line, base64, newest first: the first seals and opens, the others only open
what has not been sealed again yet. A key's id is derived from it, so it can be shown and stored.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orca import errors
from orca.secrets import private_files

KeyId = NewType("KeyId", str)

KEY_BYTES = 32
_ID_BYTES = 8
_HEADER = (
    b"# orca's master key. It opens every secret of the cluster: keep a copy somewhere safe,\n"
    b"# apart from the backups of etcd. The first key seals, further ones only open.\n"
)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 random bytes, from which a wrapping key and a public id are derived."""

    material: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        return cls(secrets.token_bytes(KEY_BYTES))

    @property
    def id(self) -> KeyId:
        """A fingerprint that says nothing about the key."""
        return KeyId(_derive(self.material, purpose=b"orca/v1/key-id", length=_ID_BYTES).hex())

    @property
    def wrapping_key(self) -> bytes:
        return _derive(self.material, purpose=b"orca/v1/key-encryption", length=KEY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The master keys of one cluster: `current` seals, `previous` ones still open."""

    cluster: str
    current: MasterKey
    previous: tuple[MasterKey, ...] = ()

    def find(self, key_id: str) -> MasterKey | None:
        """The key with this id, or None when this ring never had it or has dropped it."""
        return next((key for key in self._keys if key.id == key_id), None)

    @property
    def key_ids(self) -> tuple[KeyId, ...]:
        """Ids of all keys, the current one first."""
        return tuple(key.id for key in self._keys)

    @property
    def _keys(self) -> tuple[MasterKey, ...]:
        return (self.current, *self.previous)

    @classmethod
    def load_or_create(cls, path: Path, *, cluster: str) -> Self:
        """The ring kept in `path`, with a new key in it on first use.

        Raises `errors.UserError` when the file is not what it should be or others can read it, and
        `errors.Failed` when the disk refuses.
        """
        if private_files.read_private(path) is None:
            # Of two processes that start at once, one makes the key and both read it.
            private_files.create_private(path, _encode([MasterKey.generate()]))
        return cls.load(path, cluster=cluster)

    @classmethod
    def load(cls, path: Path, *, cluster: str) -> Self:
        """The ring kept in `path`; raises `errors.NotFound` when there is none."""
        content = private_files.read_private(path)
        if content is None:
            raise errors.NotFound(
                f"the master key {path} does not exist",
                hint="Restore it from its backup: secrets cannot be opened without it.",
            )
        current, *previous = _decode(content, path=path)
        return cls(cluster=cluster, current=current, previous=tuple(previous))

    def rotated(self) -> Keyring:
        """This ring with a new current key; write it with `write`, then seal every secret again."""
        return Keyring(
            cluster=self.cluster,
            current=MasterKey.generate(),
            previous=(self.current, *self.previous),
        )

    def without_previous(self) -> Keyring:
        """This ring with its current key only; what was not sealed again cannot be opened any more."""
        return Keyring(cluster=self.cluster, current=self.current)

    def write(self, path: Path) -> None:
        """Replace `path` by this ring, all or nothing."""
        private_files.write_private(path, _encode(self._keys))


def _derive(material: bytes, *, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose).derive(material)


def _encode(keys: Sequence[MasterKey]) -> bytes:
    lines = [base64.b64encode(key.material) + b"\n" for key in keys]
    return _HEADER + b"".join(lines)


def _decode(content: bytes, *, path: Path) -> list[MasterKey]:
    keys = []
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        keys.append(_decode_line(text, path=path, number=number))
    if not keys:
        raise _damaged(f"{path} holds no key")
    return keys


def _decode_line(text: bytes, *, path: Path, number: int) -> MasterKey:
    try:
        material = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _damaged(f"{path}:{number}: not base64") from None  # nothing of the line is quoted
    if len(material) != KEY_BYTES:
        raise _damaged(f"{path}:{number}: {len(material)} bytes instead of {KEY_BYTES}")
    return MasterKey(material)


def _damaged(message: str) -> errors.UserError:
    return errors.UserError(
        message,
        hint="Restore the file from its backup. Removing it makes a new key at the next start, "
        "and every secret must then be set again.",
    )

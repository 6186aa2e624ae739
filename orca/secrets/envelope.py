"""Sealing a secret's value so that it can lie in etcd.

AES-256-GCM twice: the value under a random data key of its own, the data key under the master key.
Cluster, scope, name, version and key id are authenticated with both, so a sealed value that was moved
to another name, another cluster or an older version does not open. Nothing here reads or writes the
store.

There is one outcome for everything that can go wrong when opening: `errors.MissingSecret` that names
the secret. Wrong bytes are never returned, and there is no second, weaker way to open.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orca import errors
from orca.secrets.keyring import KEY_BYTES, Keyring, MasterKey
from orca.secrets.names import Scope, SecretName, qualified
from orca.secrets.value import SecretValue

VALUE_BYTES_MAX = 1_000_000
"""Below etcd's 1.5 MiB per request, after base64."""

_FORMAT = "orca/v1/aes-256-gcm"
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A value as it is stored. `msgspec.json` writes it with its bytes as base64."""

    key_id: str
    """Which master key wraps the data key."""
    wrapped_key: bytes = field(repr=False)
    """Nonce, data key, tag."""
    ciphertext: bytes = field(repr=False)
    """Nonce, value, tag."""
    format: str = _FORMAT


def seal(
    plaintext: bytes | SecretValue,
    *,
    scope: Scope,
    name: SecretName,
    version: int,
    keyring: Keyring,
) -> Sealed:
    """Seal `plaintext` for one place only. The same value sealed twice differs in every byte.

    Raises `errors.UserError` when it is larger than `VALUE_BYTES_MAX`.
    """
    content = plaintext.reveal() if isinstance(plaintext, SecretValue) else plaintext
    if len(content) > VALUE_BYTES_MAX:
        raise errors.UserError(
            f"the value of {qualified(scope, name)} has {len(content):,} bytes; "
            f"{VALUE_BYTES_MAX:,} are allowed",
            hint="Secrets are keys, passwords and certificates: mount larger things as a volume.",
        )
    place = _place(keyring.cluster, scope, name, version, keyring.current.id)
    data_key = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
    return Sealed(
        key_id=keyring.current.id,
        wrapped_key=_encrypt(keyring.current.wrapping_key, data_key, place=place),
        ciphertext=_encrypt(data_key, content, place=place),
    )


def open_(
    sealed: Sealed, *, scope: Scope, name: SecretName, version: int, keyring: Keyring
) -> SecretValue:
    """Open what `seal` made for exactly this cluster, scope, name and version.

    Raises `errors.MissingSecret` for anything else.
    """
    if sealed.format != _FORMAT:
        raise errors.MissingSecret(
            f"the secret {qualified(scope, name)} is stored in a format this version does not know",
            hint="A newer orca wrote it: run that version, or set the secret again.",
        )
    key = _key_for(sealed, scope=scope, name=name, keyring=keyring)
    place = _place(keyring.cluster, scope, name, version, key.id)
    try:
        data_key = _decrypt(key.wrapping_key, sealed.wrapped_key, place=place)
        return SecretValue(_decrypt(data_key, sealed.ciphertext, place=place))
    except (InvalidTag, ValueError) as error:
        raise errors.MissingSecret(
            f"the secret {qualified(scope, name)} cannot be opened: its stored value is damaged, "
            "or was sealed for another cluster, name or version",
            hint=f"Set it again: {set_command(scope, name)}",
        ) from error


def reseal(
    sealed: Sealed, *, scope: Scope, name: SecretName, version: int, keyring: Keyring
) -> Sealed:
    """The same value and version under the ring's current key; unchanged if it already is.

    Raises `errors.MissingSecret` as `open_` does.
    """
    if sealed.key_id == keyring.current.id:
        return sealed
    value = open_(sealed, scope=scope, name=name, version=version, keyring=keyring)
    return seal(value, scope=scope, name=name, version=version, keyring=keyring)


def set_command(scope: Scope, name: str) -> str:
    """What a person types to give the secret a value."""
    suffix = f" --project {scope.project}" if scope.project else ""
    return f"orca secrets set {name}{suffix}"


def _key_for(sealed: Sealed, *, scope: Scope, name: SecretName, keyring: Keyring) -> MasterKey:
    key = keyring.find(sealed.key_id)
    if key is None:
        raise errors.MissingSecret(
            f"the secret {qualified(scope, name)} was sealed with the master key {sealed.key_id}, "
            f"which is not here (this host has {', '.join(keyring.key_ids)})",
            hint=f"Restore that master key, or set the secret again: {set_command(scope, name)}",
        )
    return key


def _place(cluster: str, scope: Scope, name: SecretName, version: int, key_id: str) -> bytes:
    # Each field carries its length: no two places share one encoding.
    fields = (_FORMAT, cluster, str(scope), name, str(version), key_id)
    encoded = [text.encode() for text in fields]
    return b"".join(struct.pack(">I", len(part)) + part for part in encoded)


def _encrypt(key: bytes, content: bytes, *, place: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, place)


def _decrypt(key: bytes, content: bytes, *, place: bytes) -> bytes:
    return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], place)

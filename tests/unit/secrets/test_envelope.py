"""A sealed value opens for its own place and for no other."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.secrets import envelope
from orca.secrets.envelope import Sealed
from orca.secrets.keyring import Keyring, MasterKey
from orca.secrets.names import CLUSTER, Scope, SecretName
from orca.secrets.value import SecretValue

KEYRING = Keyring(cluster="c", current=MasterKey.generate())
WEB = Scope("web")
NAME = SecretName("DB_PASSWORD")


def sealed(value: bytes = b"hunter2", keyring: Keyring = KEYRING) -> Sealed:
    return envelope.seal(value, scope=WEB, name=NAME, version=3, keyring=keyring)


def opened(
    what: Sealed,
    *,
    scope: Scope = WEB,
    name: SecretName = NAME,
    version: int = 3,
    keyring: Keyring = KEYRING,
) -> bytes:
    value = envelope.open_(what, scope=scope, name=name, version=version, keyring=keyring)
    return value.reveal()


@given(st.binary(max_size=300))
def test_value_survives_sealing_and_the_store_codec(value: bytes) -> None:
    stored = msgspec.json.encode(sealed(value))
    assert opened(msgspec.json.decode(stored, type=Sealed)) == value


def test_same_value_sealed_twice_shares_nothing() -> None:
    first, second = sealed(), sealed()
    assert first.wrapped_key != second.wrapped_key
    assert first.ciphertext != second.ciphertext


def test_sealed_value_does_not_contain_the_value() -> None:
    assert b"hunter2" not in msgspec.json.encode(sealed())


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"scope": Scope("api")},
        {"scope": CLUSTER},
        {"name": SecretName("OTHER")},
        {"version": 2},
        {"keyring": replace(KEYRING, cluster="other")},
    ],
    ids=lambda elsewhere: next(iter(elsewhere)),
)
def test_value_moved_elsewhere_does_not_open(elsewhere: dict[str, object]) -> None:
    with pytest.raises(errors.MissingSecret, match="cannot be opened"):
        opened(sealed(), **elsewhere)  # type: ignore[arg-type]


@given(st.data())
def test_value_with_any_bit_flipped_does_not_open_and_is_named(data: st.DataObject) -> None:
    good = sealed()
    part = data.draw(st.sampled_from(["wrapped_key", "ciphertext"]))
    content = bytearray(getattr(good, part))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    with pytest.raises(errors.MissingSecret, match="project:web/DB_PASSWORD") as caught:
        opened(replace(good, **{part: bytes(content)}))  # type: ignore[arg-type]
    assert caught.value.hint.endswith("orca secrets set DB_PASSWORD --project web")


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_value_cut_short_does_not_open(length: int) -> None:
    good = sealed()
    with pytest.raises(errors.MissingSecret):
        opened(replace(good, ciphertext=good.ciphertext[:length]))
    with pytest.raises(errors.MissingSecret):
        opened(replace(good, wrapped_key=good.wrapped_key[:length]))


def test_data_key_of_another_value_does_not_open_this_one() -> None:
    with pytest.raises(errors.MissingSecret):
        opened(replace(sealed(), wrapped_key=sealed().wrapped_key))


def test_value_of_an_unknown_key_names_that_key_and_those_at_hand() -> None:
    stranger = Keyring(cluster="c", current=MasterKey.generate())
    with pytest.raises(errors.MissingSecret) as caught:
        opened(sealed(keyring=stranger))
    assert stranger.current.id in caught.value.message
    assert KEYRING.current.id in caught.value.message


def test_value_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(errors.MissingSecret, match="format"):
        opened(replace(sealed(), format="orca/v9/xor"))


def test_value_too_large_for_the_store_is_refused_before_sealing() -> None:
    assert len(opened(sealed(bytes(envelope.VALUE_BYTES_MAX)))) == envelope.VALUE_BYTES_MAX
    with pytest.raises(errors.UserError, match="1,000,001 bytes"):
        sealed(bytes(envelope.VALUE_BYTES_MAX + 1))


def test_value_of_a_previous_key_still_opens() -> None:
    assert opened(sealed(), keyring=KEYRING.rotated()) == b"hunter2"


def test_resealing_moves_a_value_to_the_current_key() -> None:
    ring = KEYRING.rotated()
    moved = envelope.reseal(sealed(), scope=WEB, name=NAME, version=3, keyring=ring)
    assert opened(moved, keyring=ring.without_previous()) == b"hunter2"
    assert envelope.reseal(moved, scope=WEB, name=NAME, version=3, keyring=ring) is moved


def test_previous_key_that_was_dropped_no_longer_opens() -> None:
    with pytest.raises(errors.MissingSecret, match="not here"):
        opened(sealed(), keyring=KEYRING.rotated().without_previous())


def test_sealing_accepts_a_secret_value() -> None:
    value = SecretValue("hunter2")
    kept = envelope.seal(value, scope=WEB, name=NAME, version=3, keyring=KEYRING)
    assert opened(kept) == b"hunter2"


def test_repr_shows_neither_keys_nor_ciphertext() -> None:
    what = sealed()
    assert "ciphertext" not in repr(what)
    assert repr(KEYRING.current.material)[2:10] not in repr(KEYRING)

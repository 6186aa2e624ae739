"""Secrets are put wherever a container's record names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orca.errors import MissingSecret
from orca.master.records import SecretRecord
from orca.master.texts import texts, with_texts
from orca.master.vault import Vault
from orca.model.container import BindMount, ContainerSpec, Probe, ProbeKind
from orca.secrets.keyring import Keyring

SPEC = ContainerSpec(
    image="app:1",
    command=("serve", "--key=${secrets.KEY}"),
    env={"A": "${secrets.KEY}/${secrets.OTHER}", "B": "plain"},
    labels={"team": "${secrets.OTHER}"},
    mounts=(BindMount(source="/srv/${secrets.OTHER}", target="/data"),),
    liveness=Probe(kind=ProbeKind.EXEC, command=("check", "${secrets.KEY}")),
    secret_files=("KEY",),
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(Keyring.load_or_create(tmp_path / "master.key", cluster="t"))


def record(vault: Vault, name: str, value: str, project: str = "") -> SecretRecord:
    return vault.seal(name, value, before=None, project=project, by="test", now=1.0)


def test_texts_are_found_and_replaced_by_path() -> None:
    found = dict(texts(SPEC))
    assert found["command.1"] == "--key=${secrets.KEY}"
    assert found["liveness.command.1"] == "${secrets.KEY}"
    assert with_texts(SPEC, lambda path: found[path]) == SPEC


def test_every_reference_in_a_container_gets_its_value(vault: Vault) -> None:
    records = {
        ("", "KEY"): record(vault, "KEY", "cluster-key"),
        ("web", "KEY"): record(vault, "KEY", "own-key", project="web"),
        ("", "OTHER"): record(vault, "OTHER", "shared"),
    }
    container, files = vault.resolve(SPEC, records, project="web", place="web/app")
    assert container.command == ("serve", "--key=own-key")
    assert container.env == {"A": "own-key/shared", "B": "plain"}
    assert container.labels == {"team": "shared"}
    assert container.mounts[0].source == "/srv/shared"
    assert container.liveness is not None
    assert container.liveness.command == ("check", "own-key")
    assert files == {"KEY": "own-key"}


def test_missing_secrets_are_named_together_with_their_places(vault: Vault) -> None:
    with pytest.raises(MissingSecret, match=r"KEY.*OTHER"):
        vault.resolve(SPEC, {}, project="web", place="web/app")

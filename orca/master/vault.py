"""Secrets of the cluster: sealed records in, values out at the last moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orca.errors import MissingSecret
from orca.master.records import SecretRecord
from orca.master.texts import texts, with_texts
from orca.model.container import ContainerSpec
from orca.secrets import names, resolve
from orca.secrets.envelope import open_, seal
from orca.secrets.keyring import Keyring
from orca.secrets.names import Scope, secret_name
from orca.secrets.value import SecretValue
from orca.spec import references

SecretRecords = Mapping[tuple[str, str], SecretRecord]


class Vault:
    """Opens and seals under one keyring. Values are never kept; `learn` is told each one."""

    def __init__(
        self, keyring: Keyring, *, learn: Callable[[Iterable[SecretValue]], None] = lambda _: None
    ) -> None:
        self._keyring = keyring
        self._learn = learn

    def seal(
        self,
        name: str,
        value: str,
        *,
        before: SecretRecord | None,
        project: str,
        by: str,
        now: float,
    ) -> SecretRecord:
        """A new version of a secret. Raises `UserError` for a bad name."""
        self._learn([SecretValue(value.encode())])
        version = before.version + 1 if before else 1
        sealed = seal(
            value.encode(),
            scope=Scope(project),
            name=secret_name(name),
            version=version,
            keyring=self._keyring,
        )
        return SecretRecord(
            name=name,
            project=project,
            version=version,
            sealed=sealed,
            updated_at=now,
            updated_by=by,
        )

    def open(self, record: SecretRecord) -> SecretValue:
        """The value. Raises `MissingSecret` when it cannot be decrypted."""
        value = open_(
            record.sealed,
            scope=record.scope,
            name=secret_name(record.name),
            version=record.version,
            keyring=self._keyring,
        )
        self._learn([value])
        return value

    def lookup(self, records: SecretRecords, project: str) -> resolve.Lookup:
        """Values by name as a project sees them: its own first, then the cluster's."""

        def find(name: str) -> SecretValue | None:
            record = find_record(records, project, name)
            return self.open(record) if record else None

        return find

    def resolve(
        self, spec: ContainerSpec, records: SecretRecords, *, project: str, place: str
    ) -> tuple[ContainerSpec, dict[str, str]]:
        """A container with values in the place of all references, and its secret files.

        Raises `MissingSecret` naming every secret without a value, or the one that cannot be opened.
        """
        lookup = self.lookup(records, project)
        wanted = {path: text for path, text in texts(spec) if references.refers(text)}
        wanted |= {f"secrets.{name}": f"${{secrets.{name}}}" for name in spec.secret_files}
        values = resolve.resolve_mapping(wanted, lookup, place=place, project=project)
        files = {name: values.pop(f"secrets.{name}") for name in spec.secret_files}
        if not values:
            return spec, files
        plain = dict(texts(spec))
        return with_texts(spec, lambda path: values.get(path, plain[path])), files

    def check(self, name: str, records: SecretRecords, project: str) -> SecretRecord:
        """The record behind a name, after opening it once. Raises `MissingSecret`."""
        record = find_record(records, project, name)
        if record is None:
            raise MissingSecret(f"the secret {name} has no value")
        self.open(record)
        return record


def find_record(records: SecretRecords, project: str, name: str) -> SecretRecord | None:
    """The record that supplies a name inside a project."""
    scope = names.CLUSTER if (project, name) not in records else Scope(project)
    return records.get((scope.project, name))

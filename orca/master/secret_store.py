"""Secrets as users handle them: set, list, remove, ask who uses them. Values go in and never come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orca.client import schema
from orca.errors import Conflict, NotFound, UserError
from orca.master.control import Principal
from orca.master.office import Office
from orca.master.publication import Edition
from orca.master.records import Records, SecretRecord
from orca.master.texts import texts
from orca.master.vault import Vault, find_record
from orca.model.container import ContainerSpec
from orca.model.event import Event
from orca.model.ids import ServiceId
from orca.secrets.names import Scope, qualified, secret_name
from orca.spec.references import secret_names
from orca.store.base import Condition, Delete, KeyAbsent, ModRevisionIs, Write

IMPORT_MAX = 100
"""Secrets in one import: it is one etcd transaction."""


class SecretStore:
    """Keeps sealed values in the store."""

    def __init__(
        self, office: Office, records: Records, vault: Vault, *, clock: Callable[[], float]
    ) -> None:
        self._office = office
        self._records = records
        self._vault = vault
        self._clock = clock

    def list(self, project: str) -> schema.SecretList:
        """Names; with a project also those of the cluster, which it sees too."""
        known = self._office.edition().secrets
        shown = [r for r in known.values() if not project or r.project in ("", project)]
        return _listed(shown)

    async def set(
        self, values: Mapping[str, str], project: str, by: Principal
    ) -> schema.SecretList:
        """Keep values, all or none."""
        if not values:
            raise UserError("there is nothing to keep")
        if len(values) > IMPORT_MAX:
            raise UserError(
                f"{len(values)} secrets at once; at most {IMPORT_MAX} can be kept together",
                hint="split the file",
            )
        edition, now = self._office.edition(), self._clock()
        conditions: list[Condition] = []
        records: list[SecretRecord] = []
        for name, value in values.items():
            before = edition.secrets.get((project, secret_name(name)))
            records.append(
                self._vault.seal(name, value, before=before, project=project, by=by.name, now=now)
            )
            conditions.append(self._condition(name, project, edition))
        writes: tuple[Write, ...] = tuple(self._records.put(record) for record in records)
        event = _event("secret.set", sorted(values), project, by, now)
        await self._office.write(tuple(conditions), writes, events=(event,))
        return _listed(records)

    def _condition(self, name: str, project: str, edition: Edition) -> Condition:
        key = self._records.secret_key(Scope(project), name)
        version = edition.secret_versions.get((project, name), 0)
        return ModRevisionIs(key, version) if version else KeyAbsent(key)

    async def remove(self, name: str, project: str, by: Principal) -> schema.Done:
        """Forget a secret that nothing uses."""
        edition = self._office.edition()
        record = edition.secrets.get((project, name))
        if record is None:
            raise NotFound(
                f"there is no secret {qualified(Scope(project), secret_name(name))}",
                hint="`orca secrets list` shows their names",
            )
        users = [
            u.service for u in _usages(edition, name, project) if _supplies(edition, u, record)
        ]
        if users:
            raise Conflict(
                f"{', '.join(sorted(set(users)))} uses the secret {name}; without it, it could not start",
                hint="take it out of their service.toml and deploy them first",
            )
        event = _event("secret.removed", [name], project, by, self._clock())
        key = self._records.secret_key(Scope(project), name)
        await self._office.write((), (Delete(key),), events=(event,))
        return schema.Done(message=f"removed {name}")

    def usages(self, name: str, project: str) -> schema.SecretUsages:
        """Every place of a running service that names the secret."""
        edition = self._office.edition()
        return schema.SecretUsages(name=name, usages=tuple(_usages(edition, name, project)))


def _supplies(edition: Edition, usage: schema.SecretUsage, record: SecretRecord) -> bool:
    """Whether this record is the one that the user of a name gets."""
    project = ServiceId.parse(usage.service).project
    return find_record(edition.secrets, project, record.name) == record


def _usages(edition: Edition, name: str, project: str) -> Iterator[schema.SecretUsage]:
    snapshot = edition.snapshot
    for id, service in sorted(snapshot.services.items()):
        revision = snapshot.revisions.get((id, service.revision))
        if revision is None or (project and id.project != project):
            continue
        record = find_record(edition.secrets, id.project, name)
        for place in _places(revision.spec.container, name):
            held = revision.spec.secret_versions
            current = record is not None and (
                held.get(qualified(record.scope, secret_name(name))) == record.version
            )
            yield schema.SecretUsage(service=str(id), place=place, current=current)


def _places(container: ContainerSpec, name: str) -> Iterator[str]:
    for path, text in texts(container):
        if name in secret_names(text):
            yield path
    if name in container.secret_files:
        yield "secrets"


def _listed(records: Iterator[SecretRecord] | list[SecretRecord]) -> schema.SecretList:
    return schema.SecretList(
        secrets=tuple(
            schema.SecretInfo(
                name=r.name,
                project=r.project,
                version=r.version,
                updated_at=r.updated_at,
                updated_by=r.updated_by,
            )
            for r in sorted(records, key=lambda r: (r.project, r.name))
        )
    )


def _event(kind: str, names: list[str], project: str, by: Principal, now: float) -> Event:
    where = f" in project {project}" if project else ""
    verb = kind.removeprefix("secret.")
    return Event(at=now, kind=kind, message=f"{by.name}: {verb} {', '.join(names)}{where}")

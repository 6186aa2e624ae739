"""What a deploy changes."""

from __future__ import annotations

from dataclasses import replace

from orca.master.changes import (
    Origin,
    Wish,
    abandoned,
    compare,
    differences,
    retargeted,
    scaled_to,
    settled,
)
from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.model.digest import spec_hash
from orca.model.ids import RevisionNumber, ServiceId
from orca.model.service import Ingress, Revision, RevisionSpec, Rollout, RolloutPhase, Service

ID = ServiceId("shop", "web")
ORIGIN = Origin(rollout="new", by="ann", at=50.0, trace="t")
SPEC = RevisionSpec(container=ContainerSpec(image="app:1", image_id="sha256:1", env={"A": "1"}))


def revision(number: int = 1, spec: RevisionSpec = SPEC) -> Revision:
    return Revision(
        service=ID,
        number=RevisionNumber(number),
        spec=spec,
        spec_hash=spec_hash(spec),
        created_at=1.0,
    )


def service(**more: object) -> Service:
    base = Service(
        id=ID,
        revision=RevisionNumber(1),
        replicas=2,
        stable=RevisionNumber(1),
        stable_generation=1,
        rollout=Rollout(id="old", phase=RolloutPhase.COMPLETE),
    )
    return replace(base, **more)  # type: ignore[arg-type]


def wish(spec: RevisionSpec = SPEC, replicas: int = 2) -> Wish:
    return Wish(id=ID, spec=spec, replicas=replicas)


def outcome(wanted: Wish, existing: Service | None = None, *revisions: Revision):  # type: ignore[no-untyped-def]
    known = {r.number: r for r in revisions or (revision(),)}
    return compare(wanted, service=existing, revisions=known if existing else {}, origin=ORIGIN)


def test_unknown_service_is_created_as_revision_one() -> None:
    found = outcome(wish())
    assert (found.action, found.revision) == ("create", 1)
    assert found.new_revision.spec_hash == spec_hash(SPEC)
    assert found.service.rollout.id == "new"


def test_equal_spec_is_unchanged() -> None:
    found = outcome(wish(), service())
    assert (found.action, found.service) == ("unchanged", None)


def test_any_change_of_the_resolved_spec_is_an_update() -> None:
    container = SPEC.container
    changed = [
        replace(SPEC, container=replace(container, image_id="sha256:2")),
        replace(SPEC, container=replace(container, env={"A": "2"})),
        replace(SPEC, container=replace(container, stop_grace_seconds=11.0)),
        replace(SPEC, container=replace(container, liveness=Probe(kind=ProbeKind.TCP, port=80))),
        replace(SPEC, ingress=Ingress(domains=("web.test",))),
        replace(SPEC, secret_versions={"cluster/KEY": 2}),
    ]
    for spec in changed:
        found = outcome(wish(spec), service())
        assert (found.action, found.revision) == ("update", 2)
        assert len(found.changes) == 1 or spec.container.liveness
        assert found.service.generation == 2


def test_order_of_mappings_is_no_change() -> None:
    container = replace(SPEC.container, env={"A": "1", "B": "2"})
    other = replace(SPEC.container, env={"B": "2", "A": "1"})
    assert spec_hash(replace(SPEC, container=container)) == spec_hash(
        replace(SPEC, container=other)
    )


def test_other_number_of_replicas_is_a_scale_without_a_revision() -> None:
    found = outcome(wish(replicas=5), service())
    assert (found.action, found.new_revision) == ("scale", None)
    assert (found.service.replicas, found.service.generation) == (5, 1)


def test_failed_rollout_is_tried_again_although_nothing_changed() -> None:
    failed = service(rollout=Rollout(id="old", phase=RolloutPhase.FAILED), generation=3)
    found = outcome(wish(), replace(failed, last_generation=3))
    assert (found.action, found.new_revision) == ("retry", None)
    assert found.service.generation == 4


def test_stopped_service_is_started_by_a_deploy() -> None:
    found = outcome(wish(), service(stopped=True))
    assert found.action == "update"
    assert not found.service.stopped
    assert ("state", "stopped", "running") in {(c.field, c.before, c.after) for c in found.changes}


def test_removed_service_is_created_anew_with_a_generation_of_its_own() -> None:
    gone = service(removed=True, stopped=True, last_generation=4)
    found = outcome(wish(), gone)
    assert found.action == "create"
    assert (found.service.generation, found.revision) == (5, 2)


def test_new_revision_numbers_go_on_after_the_highest() -> None:
    other = replace(SPEC, container=replace(SPEC.container, image="app:2"))
    found = outcome(wish(other), service(), revision(1), revision(7))
    assert found.revision == 8


def test_differences_name_fields_by_path_and_show_references_only() -> None:
    before = replace(SPEC, container=replace(SPEC.container, env={"KEY": "${secrets.A}"}))
    after = replace(SPEC, container=replace(SPEC.container, env={"KEY": "${secrets.B}"}))
    [change] = differences(before, after)
    assert (change.field, change.before, change.after) == (
        "container.env.KEY",
        "${secrets.A}",
        "${secrets.B}",
    )


def test_service_after_a_failed_rollout_aims_at_what_serves() -> None:
    failed = service(
        revision=RevisionNumber(2),
        generation=2,
        last_generation=2,
        rollout=Rollout(id="old", phase=RolloutPhase.FAILED),
    )
    assert (settled(failed).revision, settled(failed).generation) == (1, 1)
    scaled = scaled_to(failed, 5, ORIGIN)
    assert (scaled.revision, scaled.generation, scaled.replicas) == (1, 1, 5)


def test_generation_that_was_abandoned_is_not_given_again() -> None:
    moving = retargeted(service(), RevisionNumber(2), ORIGIN)
    back = abandoned(moving, ORIGIN)
    assert (back.revision, back.generation) == (1, 1)
    assert retargeted(back, RevisionNumber(3), ORIGIN).generation == 3

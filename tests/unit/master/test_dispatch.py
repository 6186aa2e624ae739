"""What nodes and proxies are told."""

from __future__ import annotations

from dataclasses import replace

from orca.errors import MissingSecret
from orca.master.dispatch import Told, keys_for, news
from orca.master.proxies import difference
from orca.model.container import ContainerSpec
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Desired, Replica
from orca.model.route import Backend, Endpoint, Route, RouteTable
from orca.model.service import Revision, RevisionSpec
from orca.model.snapshot import Snapshot
from orca.rpc.messages import Assignments

WEB, NODE, EPOCH = ServiceId("shop", "web"), NodeId("n"), Epoch(3)


def replica(id: str, slot: int = 0, node: str = "n", **more: object) -> Replica:
    base = Replica(
        id=ReplicaId(id),
        service=WEB,
        revision=RevisionNumber(1),
        generation=1,
        slot=slot,
        node=NodeId(node),
        epoch=EPOCH,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def snapshot(*replicas: Replica) -> Snapshot:
    spec = RevisionSpec(container=ContainerSpec(image="app:1", env={"K": "${secrets.K}"}))
    revision = Revision(
        service=WEB, number=RevisionNumber(1), spec=spec, spec_hash="h", created_at=0.0
    )
    return Snapshot(
        epoch=EPOCH,
        revisions={(WEB, revision.number): revision},
        replicas={r.id: r for r in replicas},
    )


def reveal(spec: ContainerSpec, _replica: Replica) -> tuple[ContainerSpec, dict[str, str]]:
    return replace(spec, env={"K": "value"}), {}


def refuse(_spec: ContainerSpec, _replica: Replica) -> tuple[ContainerSpec, dict[str, str]]:
    raise MissingSecret("the secret K cannot be opened", hint="set it again")


def tell(told: Told, state: Snapshot, resolve=reveal) -> Assignments | None:  # type: ignore[no-untyped-def]
    wanted = keys_for(state, NODE, {})
    message = news(told, wanted, snapshot=state, epoch=EPOCH, resolve=resolve)
    told.complete, told.keys = True, wanted
    return message


def test_first_message_of_a_session_is_complete_even_when_empty() -> None:
    message = tell(Told(), snapshot())
    assert message == Assignments(epoch=EPOCH, complete=True)


def test_node_is_told_of_its_own_replicas_only() -> None:
    message = tell(Told(), snapshot(replica("a"), replica("b", slot=1, node="other")))
    assert message is not None
    assert [a.replica.id for a in message.assignments] == ["a"]
    assert message.assignments[0].container.env == {"K": "value"}


def test_nothing_new_is_nothing_said() -> None:
    told = Told()
    tell(told, snapshot(replica("a")))
    assert tell(told, snapshot(replica("a"))) is None


def test_increment_names_what_changed_and_what_is_forgotten() -> None:
    told = Told()
    tell(told, snapshot(replica("a"), replica("b", slot=1)))
    message = tell(told, snapshot(replica("b", slot=1, desired=Desired.STOP)))
    assert message is not None
    assert not message.complete
    assert [a.replica.id for a in message.assignments] == ["b"]
    assert message.forgotten == ("a",)


def test_replica_gets_its_slots_name_once_the_old_holder_is_gone() -> None:
    told = Told()
    both = tell(told, snapshot(replica("old"), replica("new", generation=2)))
    assert both is not None
    assert [a.settled_name for a in both.assignments] == [False, False]
    alone = tell(told, snapshot(replica("new", generation=2)))
    assert alone is not None
    assert [(a.replica.id, a.settled_name) for a in alone.assignments] == [("new", True)]


def test_replica_whose_secret_cannot_be_opened_stays_in_the_set() -> None:
    message = tell(Told(), snapshot(replica("a")), resolve=refuse)
    assert message is not None
    [assignment] = message.assignments
    assert assignment.blocked == "the secret K cannot be opened. set it again"
    assert assignment.container.env == {}


def endpoint(address: str) -> Endpoint:
    return Endpoint(replica=ReplicaId(address), address=address, port=80)


def table(*services: tuple[str, str]) -> RouteTable:
    return RouteTable(
        routes=tuple(
            Route(domain=f"{name}.test", path="/", service=ServiceId("shop", name))
            for name, _ in services
        ),
        backends=tuple(
            Backend(service=ServiceId("shop", name), endpoints=(endpoint(address),))
            for name, address in services
        ),
    )


def test_proxy_without_a_table_gets_all_of_it() -> None:
    update = difference(None, table(("a", "1"), ("b", "2")), epoch=EPOCH, version=4)
    assert update.complete
    assert (len(update.routes), len(update.backends)) == (2, 2)


def test_moved_endpoint_touches_neither_routes_nor_other_backends() -> None:
    before, after = table(("a", "1"), ("b", "2")), table(("a", "1"), ("b", "3"))
    update = difference(before, after, epoch=EPOCH, version=5)
    assert (update.complete, update.routes_changed, update.routes) == (False, False, ())
    assert [b.service.name for b in update.backends] == ["b"]


def test_service_that_is_gone_is_named() -> None:
    update = difference(table(("a", "1"), ("b", "2")), table(("a", "1")), epoch=EPOCH, version=6)
    assert update.removed == ("shop/b",)
    assert update.routes_changed

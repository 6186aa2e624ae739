"""The layout of the store."""

from __future__ import annotations

import pytest

from orca import errors
from orca.store import keys
from orca.store.keys import Keys

ALL = Keys("main")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (ALL.leader(), "/orca/main/leader"),
        (ALL.schema_version(), "/orca/main/meta/schema"),
        (ALL.service("shop", "web"), "/orca/main/services/shop/web"),
        (ALL.revision("shop", "web", 7), "/orca/main/revisions/shop/web/00000007"),
        (ALL.replica("r1"), "/orca/main/replicas/r1"),
        (ALL.node("n1"), "/orca/main/nodes/n1"),
        (ALL.cluster_secret("KEY"), "/orca/main/secrets/cluster/KEY"),
        (ALL.project_secret("shop", "KEY"), "/orca/main/secrets/project/shop/KEY"),
        (ALL.deployment("shop", "web", 3), "/orca/main/deployments/shop/web/000000000003"),
        (ALL.event(5), "/orca/main/events/0000000000000005"),
        (ALL.token("admin"), "/orca/main/tokens/admin"),
    ],
)
def test_key_is_spelled_as_documented(key: str, expected: str) -> None:
    assert key == expected


@pytest.mark.parametrize(
    ("prefix", "key"),
    [
        (ALL.services(), ALL.service("shop", "web")),
        (ALL.project("shop"), ALL.service("shop", "web")),
        (ALL.all_revisions(), ALL.revision("shop", "web", 1)),
        (ALL.revisions("shop", "web"), ALL.revision("shop", "web", 1)),
        (ALL.replicas(), ALL.replica("r")),
        (ALL.nodes(), ALL.node("n")),
        (ALL.secrets(), ALL.cluster_secret("A")),
        (ALL.cluster_secrets(), ALL.cluster_secret("A")),
        (ALL.project_secrets("shop"), ALL.project_secret("shop", "A")),
        (ALL.all_deployments(), ALL.deployment("shop", "web", 1)),
        (ALL.deployments("shop", "web"), ALL.deployment("shop", "web", 1)),
        (ALL.events(), ALL.event(1)),
        (ALL.tokens(), ALL.token("t")),
    ],
)
def test_prefix_covers_its_keys_and_ends_at_a_border(prefix: str, key: str) -> None:
    assert key.startswith(prefix)
    assert prefix.startswith(ALL.root)
    assert prefix.endswith("/")


def test_numbers_sort_in_key_order_and_are_read_back() -> None:
    numbers = [1, 9, 10, 999, 1_000_000]
    found = [ALL.revision("p", "s", number) for number in numbers]
    assert sorted(found) == found
    assert [keys.number_of(key) for key in found] == numbers


def test_clusters_do_not_share_keys() -> None:
    assert not Keys("main2").leader().startswith(ALL.root)


@pytest.mark.parametrize("name", ["", "a/b", "a\0b"])
def test_name_that_would_leave_its_place_is_refused(name: str) -> None:
    with pytest.raises(errors.UserError, match="cannot be part of a key"):
        ALL.service("shop", name)
    with pytest.raises(errors.UserError):
        Keys(name)

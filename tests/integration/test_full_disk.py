"""etcd's disk is full: orca says so, changes nothing, and goes on when there is room again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_files import web

from orca.testing.engine import DockerEngine
from orca.testing.host import Host, eventually

DOMAIN = "shop.example"
UNAVAILABLE = 7
NOTICED_SECONDS = 45.0


@pytest.fixture
def small(engine: DockerEngine) -> Iterator[Host]:
    """A host whose home is a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    with Host(engine, cluster="small") as host:
        host.home.mkdir(mode=0o700)
        mount(host.home, megabytes=400)
        try:
            yield host
        finally:
            host.end_processes()
            subprocess.run(["umount", "-l", str(host.home)], check=True)


def mount(path: Path, *, megabytes: int) -> None:
    options = f"size={megabytes}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)


def fill(path: Path, *, leave_megabytes: int = 0) -> Path:
    """Use up the space below a path."""
    ballast = path / "ballast"
    free = shutil.disk_usage(path).free - leave_megabytes * 1024**2
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free)
    return ballast


@pytest.mark.parametrize("megabytes", [0, 50])
def test_a_start_on_a_full_disk_is_refused_with_what_is_missing(
    small: Host, megabytes: int
) -> None:
    fill(small.home, leave_megabytes=megabytes)

    for detached in ((), ("-d",)):
        done = small.orca("server", *detached, code=UNAVAILABLE)

        assert "is full" in done.err
        assert "are free" in done.err
        assert small.processes() == {}


def test_a_disk_that_fills_up_stops_changes_and_nothing_else(small: Host) -> None:
    small.start()
    small.write("shop", web(DOMAIN, replicas=2))
    small.deploy()
    eventually(small.serves(DOMAIN))
    before = small.containers()
    ballast = fill(small.home)
    # etcd has set space aside and notices only when that is used up.
    os.kill(small.etcd_pid(), 9)

    small.write("shop", web(DOMAIN, image="shop/web:2", replicas=2))

    def refused() -> bool:
        done = small.deploy(code=None)
        return done.code == UNAVAILABLE and "full" in done.err

    eventually(refused, within=NOTICED_SECONDS, every=1.0)
    assert small.containers() == before
    assert small.get(DOMAIN).body == "one\n"

    ballast.unlink()
    said: list[str] = []

    def deployed() -> bool:
        done = small.deploy(code=None)
        said.append(done.said)
        return done.code == 0

    try:
        eventually(deployed, within=NOTICED_SECONDS, every=1.0, what="orca goes on by itself")
    finally:
        print("\n".join(said), small.log_tail(40))
    eventually(small.serves(DOMAIN, "two"))

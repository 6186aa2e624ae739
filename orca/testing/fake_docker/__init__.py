"""A container engine in memory, on the loop's clock, with faults by script.

Implements `Runtime` and passes the same contract suite as the real Docker. Images behave as told; any
operation can be made to fail, hang or take its time; the daemon can go and come, with or without
live-restore; events can be lost. All chance comes from one seed.

It is not a simulation of Docker's internals: what the contract suite does not ask is not there.
"""

from orca.testing.fake_docker.behaviour import Behaviour, FakeContainer, FakeImage, Fault
from orca.testing.fake_docker.daemon import BOOT_SECONDS
from orca.testing.fake_docker.exec import FakeExec
from orca.testing.fake_docker.prober import FakeProber
from orca.testing.fake_docker.runtime import FakeRuntime

__all__ = [
    "BOOT_SECONDS",
    "Behaviour",
    "FakeContainer",
    "FakeExec",
    "FakeImage",
    "FakeProber",
    "FakeRuntime",
    "Fault",
]

"""P11, one host: memory and CPU of the control plane while nothing happens.

`orca server` holds master, node agent and proxy agent in one process; etcd and Envoy are listed beside
it. Ten services with a domain, a readiness and a liveness probe each run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from figures import keep, machine

from orca.testing.engine import DockerEngine
from orca.testing.host import Host, eventually

FIRST_MIB = 200 + 90
"""Idle master and agent together: they share one process here."""
SERVICES = 10
SECONDS_MAX = 3600
SERVICE = """
[[service]]
name = "web{number}"
image = "orca-bench/web"
pull = "if-missing"
port = 80
domain = "web{number}.example"
readiness = {{ path = "/" }}
liveness = {{ path = "/" }}
"""


def main() -> int:
    """Measure and print; exit code 1 when "first" is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help=f"at most {SECONDS_MAX}")
    seconds = min(parser.parse_args().seconds, SECONDS_MAX)
    with DockerEngine() as engine:
        engine.image("orca-bench/web")
        with Host(engine) as host:
            host.configure()
            host.write("bench", "".join(SERVICE.format(number=n) for n in range(SERVICES)))
            host.start()
            host.deploy()
            eventually(host.serves("web0.example"))
            figures = _measure(host, seconds)
    print(machine())
    print(f"{SERVICES} services idle for {seconds} s")
    for name, (mib, share) in figures.items():
        print(f"{name:<14} {mib:7.1f} MiB resident   {share:6.2%} of a core")
    mib = figures["orca server"][0]
    print(f"P11: {mib:.0f} MiB for master and agent (first ≤ {FIRST_MIB} MiB together)")
    keep("steady-state", {"figures": figures, "seconds": seconds})
    return 0 if mib <= FIRST_MIB else 1


def _measure(host: Host, seconds: int) -> dict[str, tuple[float, float]]:
    pids = {
        "orca server": host.server_pid(),
        "etcd": host.etcd_pid(),
        "envoy": host.envoy_pid(),
    }
    time.sleep(5)
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return {
        name: (_resident_mib(pid), (_cpu_seconds(pid) - before[name]) / seconds)
        for name, pid in pids.items()
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    for entry in Path(f"/proc/{pid}/status").read_text().splitlines():
        if entry.startswith("VmRSS:"):
            return int(entry.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


if __name__ == "__main__":
    raise SystemExit(main())

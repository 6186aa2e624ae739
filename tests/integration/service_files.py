"""service.toml as an operator writes it, and the images it names."""

from __future__ import annotations

from orca.testing.engine import HTTPD, DockerEngine

WEB_ONE = "shop/web:1"
WEB_TWO = "shop/web:2"
CRASHING = "shop/crashing:1"
MUTE = "shop/mute:1"
"""Runs, and never listens."""
JOB = "shop/job:1"
"""Writes a line a second."""
ABSENT = "shop/absent:1"

_SH = ("/bin/sh", "-c")
_CRASH = (*_SH, "echo connecting to the database; echo no route to host >&2; exit 3")
_JOB = (
    *_SH,
    "echo begins; echo oops >&2; i=0; while true; do echo tick $((i+=1)); sleep 0.2; done",
)

QUICK = """
[service.deploy]
min_ready_secs = 0.2
drain_secs = 3
progress_deadline_secs = {deadline}
"""
PROBE = """
[service.readiness]
path = "/"
interval_secs = 0.2
"""


def build_images(engine: DockerEngine) -> None:
    """Put the images of the tests onto an engine."""
    engine.image(WEB_ONE, HTTPD, env={"BODY": "one"})
    engine.image(WEB_TWO, HTTPD, env={"BODY": "two"})
    engine.image(CRASHING, _CRASH)
    engine.image(MUTE, (*_SH, "echo thinking; exec sleep 1000"))
    engine.image(JOB, _JOB)


def web(
    domain: str,
    *,
    name: str = "web",
    image: str = WEB_ONE,
    replicas: int = 1,
    keys: str = "",
    tables: str = "",
    probe: str = PROBE,
    deadline: float = 30,
) -> str:
    """A web server on port 80 with a readiness probe; `keys` and `tables` are added as they stand."""
    return (
        f'[[service]]\nname = "{name}"\nimage = "{image}"\nreplicas = {replicas}\n'
        f'domain = "{domain}"\nport = 80\nstop_grace_secs = 2\n{keys}\n'
        f"{probe}{QUICK.format(deadline=deadline)}{tables}\n"
    )


def job(
    *, name: str = "job", image: str = JOB, keys: str = "", tables: str = "", deadline: float = 30
) -> str:
    """A program without a port."""
    return (
        f'[[service]]\nname = "{name}"\nimage = "{image}"\nstop_grace_secs = 1\n{keys}\n'
        f"{QUICK.format(deadline=deadline)}{tables}\n"
    )

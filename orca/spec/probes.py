"""Probes: how a service shows that it has started, takes traffic, and lives.

One shape, three sets of defaults. Only ready replicas get traffic; a liveness probe that keeps
failing restarts the container; while a startup probe has not succeeded the other two wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.config import JsonDict

from orca.spec.fault import refusal
from orca.spec.fields import Interval, Port, Positive, Seconds, Spec, UrlPath, Words

ProbeKind = Literal["http", "tcp", "exec"]


def _one_kind(kind: object) -> object:
    """Refuse what `Probe` could not infer: no kind, or several joined with "and"."""
    if kind == "":
        raise refusal(
            "does not say what to ask", hint='give path = "/…", port, tcp = true or command = […]'
        )
    if isinstance(kind, str) and " and " in kind:
        raise refusal(f"asks in two ways at once: {kind}", hint="keep one of path, tcp, command")
    return kind


class Probe(Spec):
    """What is asked, how often, and how many answers count."""

    other_spellings: ClassVar[Mapping[str, JsonDict]] = {
        "tcp": {
            "type": "boolean",
            "description": 'Short for kind = "tcp": it is enough that the port accepts.',
        }
    }

    kind: Annotated[ProbeKind, BeforeValidator(_one_kind)] = Field(
        default="tcp",
        description="How to ask. Follows from the other keys: `command` → exec, `path` → http, else tcp.",
    )
    path: UrlPath | None = Field(
        default=None, description="HTTP path to GET; every status from 200 to 399 is a success."
    )
    port: Port | None = Field(
        default=None, description="Port in the container; the service's `port` when left out."
    )
    command: Words | None = Field(
        default=None,
        description="Program and arguments to run in the container; exit code 0 is a success.",
    )
    interval_secs: Interval = Field(default=10.0, description="Seconds from one probe to the next.")
    timeout_secs: Interval = Field(
        default=3.0, description="Seconds after which an unanswered probe has failed."
    )
    failure_threshold: Positive = Field(
        default=3, description="Failures in a row until the probe counts as failed."
    )
    success_threshold: Positive = Field(
        default=1, description="Successes in a row until the probe counts as passed."
    )
    initial_delay_secs: Seconds = Field(
        default=0.0, description="Seconds after the container's start before the first probe."
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_kind(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        asked = {
            "http": data.get("path") is not None,
            "exec": data.get("command") is not None,
            "tcp": data.get("tcp") is True,
        }
        stated = data.get("kind")
        if stated is None and not any(asked.values()):
            asked["tcp"] = data.get("port") is not None
        kinds = [kind for kind, is_asked in asked.items() if is_asked or kind == stated]
        keep = {key: value for key, value in data.items() if (key, value) != ("tcp", True)}
        return keep | {"kind": stated if stated not in (None, *asked) else " and ".join(kinds)}

    @model_validator(mode="after")
    def _complete(self) -> Probe:
        if self.kind == "http" and self.path is None:
            raise refusal('kind = "http" needs a path', path=("kind",))
        if self.kind == "exec" and not self.command:
            raise refusal('kind = "exec" needs a command', path=("kind",))
        return self


class StartupProbe(Probe):
    """Holds the other probes back until the program has started."""

    interval_secs: Interval = Field(default=1.0, description="Seconds from one probe to the next.")
    failure_threshold: Positive = Field(
        default=300,
        description="Failures in a row until the start counts as failed and the container is restarted.",
    )


class ReadinessProbe(Probe):
    """Decides whether a replica gets traffic."""

    interval_secs: Interval = Field(default=2.0, description="Seconds from one probe to the next.")


class LivenessProbe(Probe):
    """Decides whether a container has to be restarted."""

    initial_delay_secs: Seconds = Field(
        default=5.0, description="Seconds after the container's start before the first probe."
    )

"""`ServiceSpec`: one `[[service]]` of a `service.toml`, and the body of a deploy request.

The model checks what can be said about one service alone. What several services or the host have to
agree on (domains, host ports, dependencies) is in `check` and `graph`. Paths of mounts are made
absolute by `load`, which knows where the file was.
"""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from orca.spec import references, spelling
from orca.spec.fault import refusals
from orca.spec.rules import service_faults
from orca.spec.service_keys import ServiceKeys


class ServiceSpec(ServiceKeys):
    """One service: what runs, how often, and who reaches it.

    Frozen; `model_validate(model_dump(mode="json"))` gives an equal spec.
    """

    @model_validator(mode="before")
    @classmethod
    def _accept_spellings(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = spelling.canonical(data)
        return data | {"runtime": "docker"} if data.get("runtime") == "container" else data

    @model_validator(mode="after")
    def _agree(self) -> ServiceSpec:
        found = [*service_faults(self), *references.malformed(self)]
        if found:
            raise refusals(found)
        return self

    @property
    def ref(self) -> str:
        """`project/name`, which is unique in a cluster."""
        return f"{self.project}/{self.name}"

    @property
    def dependencies(self) -> tuple[str, ...]:
        """What `depends_on` names, as `project/name`."""
        return tuple(name if "/" in name else f"{self.project}/{name}" for name in self.depends_on)

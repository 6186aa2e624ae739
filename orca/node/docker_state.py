"""`DockerState`: what the node knows of its Docker Engine. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orca.model.node import NodeFacts
from orca.node.runtime import EngineFacts
from orca.node.settings import NodeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerState:
    """Whether it answers, and what it said of itself when it last did."""

    error: str = "Docker has not answered yet"
    """Why it does not answer; empty while it does."""
    engine: EngineFacts | None = None
    """None until it has answered once."""
    suspected: bool = False
    """Some replica got no answer since the last list."""

    @property
    def away(self) -> str:
        """Why a replica need not try; before the first answer nobody knows, so it should."""
        return self.error if self.engine is not None else ""

    def answered(self, facts: EngineFacts) -> DockerState:
        """It listed its containers."""
        return DockerState(error="", engine=facts)

    def failed(self, reason: str) -> DockerState:
        """It did not answer."""
        return replace(self, error=reason)

    def doubted(self) -> DockerState:
        """It did not answer a replica."""
        return replace(self, suspected=True)

    def facts(self, settings: NodeSettings) -> NodeFacts:
        """What the master is told of this node."""
        engine = self.engine or EngineFacts(version="")
        return NodeFacts(
            hostname=engine.hostname or settings.name,
            version=settings.version,
            docker_version=engine.version,
            docker_error=self.error,
            cpus=engine.cpus,
            memory_bytes=engine.memory_bytes,
            labels=settings.labels,
        )

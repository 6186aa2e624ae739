"""What may stand behind the `?` of each route. An unknown or repeated parameter is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Query(BaseModel):
    """Base of all; by itself, a route without parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StatusQuery(Query):
    """Which part of the cluster."""

    project: str = Field(default="", description="Only this project")
    service: str = Field(default="", description="Only this service: `name` or `project/name`")
    watch: bool = Field(default=False, description="Stream the status now and after each change")


class RolloutsQuery(Query):
    """Which rollouts."""

    ids: str = Field(min_length=1, description="Ids of rollouts, separated by commas")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The ids, each once, in the order given."""
        return tuple(dict.fromkeys(part.strip() for part in self.ids.split(",") if part.strip()))


class LogsParameters(Query):
    """Which log lines."""

    tail: int = Field(default=100, ge=-1, description="Lines per replica; -1 is all")
    follow: bool = Field(default=False, description="Go on with new lines as they come")
    since: float = Field(default=0.0, ge=0.0, description="Unix seconds; 0 is the beginning")
    previous: bool = Field(default=False, description="Of the container before the present one")
    replica: str = Field(default="", description="Id prefix, container name or slot")
    timestamps: bool = Field(default=False, description="Begin each line with its time")


class EventsQuery(Query):
    """Which events."""

    after: int = Field(default=0, ge=0, description="Only events with a higher sequence number")
    service: str = Field(default="", description="Only events of this service")
    limit: int = Field(
        default=200, ge=1, le=1000, description="The newest so many; not for a stream"
    )
    follow: bool = Field(default=False, description="Stream events after `after`, then new ones")


class ProjectQuery(Query):
    """Whose secrets."""

    project: str = Field(default="", description="Project; empty is the cluster's own")

"""The tables of a service: `[service.resources]`, `[service.deploy]`, `[service.placement]` and so on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orca.spec.fields import Count, Cpu, Flag, Memory, Percent, Positive, Seconds, Spec


class Gpu(Spec):
    """GPUs that every replica needs."""

    count: Positive = Field(default=1, description="Number of GPUs.")
    vendor: Literal["nvidia", "amd", "intel"] = Field(
        default="nvidia", description="Maker of the GPU."
    )
    vram_min: Memory | None = Field(
        default=None, description='Least memory of each GPU, as "16Gi".'
    )


class Resources(Spec):
    """Upper limits of one replica."""

    memory: Memory | None = Field(
        default=None,
        description='Memory limit: "512Mi", "1.5Gi" (powers of 1024), "500M" (powers of 1000) or bytes. '
        "Kept as bytes.",
    )
    cpu: Cpu | None = Field(default=None, description='Processor limit in cores: 0.5, or "500m".')
    gpu: Gpu | None = Field(default=None, description="GPUs.")


class Deploy(Spec):
    """How one revision replaces another."""

    strategy: Literal["rolling", "canary", "blue-green"] = Field(
        default="rolling", description="How traffic moves to the new revision."
    )
    order: Literal["auto", "start-first", "stop-first"] = Field(
        default="auto",
        description="Whether a new replica starts before the old one stops. `auto` is start-first, except "
        "where two copies cannot coexist (a volume, a fixed host port).",
    )
    max_unavailable: Count = Field(
        default=1, description="Replicas that may be missing at a time when stop-first."
    )
    max_surge: Count = Field(
        default=1, description="Replicas that may be extra at a time when start-first."
    )
    canary_weight: Percent = Field(default=20, description="Percent of the traffic for the canary.")
    progress_deadline_secs: Seconds = Field(
        default=300.0,
        description="Seconds without progress after which the rollout has failed and stops.",
    )
    min_ready_secs: Seconds = Field(
        default=2.0,
        description="Seconds that a new replica has to stay ready before an old one is stopped for it.",
    )
    drain_secs: Seconds = Field(
        default=30.0,
        description="Seconds that requests in flight get to finish before a replica is stopped.",
    )


class Placement(Spec):
    """Which nodes may run the service."""

    node: str | None = Field(default=None, description="Name of the one node that may run it.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that a node must have, all of them."
    )
    requires_gpu: Flag = Field(
        default=False, description="Whether only nodes with a GPU may run it."
    )


class Build(Spec):
    """Building the image from a git repository."""

    repo: str = Field(min_length=1, description="Address of the git repository.")
    branch: str = Field(default="main", description="Branch to build.")
    dockerfile: str = Field(
        default="Dockerfile", description="Path of the Dockerfile in the context."
    )
    context: str = Field(default=".", description="Directory of the repository to build.")


class ServiceBackup(Spec):
    """What a backup does with this service."""

    enabled: Flag = Field(default=True, description="Whether the service's volumes are backed up.")
    pre_hook: str | None = Field(
        default=None,
        description="Shell command to run in the container before its volumes are copied.",
    )

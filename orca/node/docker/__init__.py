"""The only door to Docker: the `Runtime` port on a Docker Engine, over aiodocker.

Nothing outside this package imports aiodocker or sees its errors. No API version is pinned: the client
asks the engine. Two things reach below aiodocker's public calls because those lose what is needed:
logs keep their stdout/stderr frames, and the event stream tells when it stands and when it breaks.
"""

from orca.node.docker.client import DockerRuntime

__all__ = ["DockerRuntime"]

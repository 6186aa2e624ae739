"""What the user wrote: `cluster.toml` and `services/<project>/service.toml`, checked and with defaults.

This package reads text into frozen models and says, with file, line and column, everything that is
wrong with it at once. It does not talk to a cluster, and it does not know what is running: `model`
holds that. The hard part is the joining of three views of one file (the parsed values, the positions
in the text, pydantic's paths) so that every message points at the characters to change.

Start at `load.load`; `service.ServiceSpec` and `cluster.ClusterSpec` are what comes out.
"""

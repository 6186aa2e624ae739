"""The REST API of a master: one route table, and what turns it into a server.

`routes` is the table; router, permissions, OpenAPI, metric labels and `docs/api.md` all come from it.
What the cluster does is behind `orca.master.control.ControlPlane`; nothing here decides anything about
services.
"""

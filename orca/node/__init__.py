"""The node agent: runs what the master assigned on this host's Docker Engine and says what it sees.

It knows the master only as a session (`orca.rpc.session`) and Docker only as a port (`runtime.py`), so
the same agent runs against real servers and, on virtual time, against fakes.
"""

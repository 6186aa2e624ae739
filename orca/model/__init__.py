"""What the cluster holds: immutable records of services, revisions, replicas, nodes and routes.

Pure data and the small functions over it. Nothing here does I/O, reads a clock or knows how a record is
stored or sent.
"""

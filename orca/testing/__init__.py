"""Shipped fakes: virtual time, a Docker with scriptable faults, a whole cluster in one process."""

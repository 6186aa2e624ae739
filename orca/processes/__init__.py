"""Processes of this machine: those that outlive orca, one orca per home, and who holds a port."""

from orca.processes.detached import DetachedProcess
from orca.processes.files import write_private
from orca.processes.listeners import listener_of
from orca.processes.pid_lock import PidLock
from orca.processes.records import ProcessRecord, boot_id, is_running, record_of

__all__ = [
    "DetachedProcess",
    "PidLock",
    "ProcessRecord",
    "boot_id",
    "is_running",
    "listener_of",
    "record_of",
    "write_private",
]

"""The programs' logs in a simulation: an exception in one of them is a violation, the rest is silent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from orca.testing.sim.monitor import Monitor


class _Watcher(logging.Handler):
    """Blames whatever was logged with an exception."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(level=logging.ERROR)
        self._monitor = monitor

    def emit(self, record: logging.LogRecord) -> None:
        # structlog hands its whole event over as the message.
        event = record.msg if isinstance(record.msg, dict) else {}
        error = event.get("exc_info") or (record.exc_info and record.exc_info[1])
        if isinstance(error, BaseException):
            what = event.get("event") or record.getMessage()
            self._monitor.blame(f"{record.name}: {what}: {_origin(error)}")


@contextmanager
def watched(monitor: Monitor) -> Iterator[None]:
    """Within it, every logger of orca's is silent and watched."""
    logger, before = logging.getLogger("orca"), structlog.get_config()
    watcher, level, propagate = _Watcher(monitor), logger.level, logger.propagate
    logger.addHandler(watcher)
    logger.setLevel(logging.ERROR)
    logger.propagate = False

    def judge(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
        error = event.get("exc_info")
        if isinstance(error, BaseException):
            monitor.blame(f"{event.get('event')}: {_origin(error)}")
        raise structlog.DropEvent

    structlog.configure(processors=[judge])
    try:
        yield
    finally:
        structlog.configure(**before)
        logger.removeHandler(watcher)
        logger.setLevel(level)
        logger.propagate = propagate


def _origin(error: BaseException) -> str:
    """The exception and where it was raised."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    return f"{error!r}{where}"

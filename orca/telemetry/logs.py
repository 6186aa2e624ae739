"""Structured logs: JSON lines in `orca.log`, readable ones on the terminal.

Everything that logs ends in one place, the standard library's root logger, whether it came from
orca's structlog loggers or from a library. There each line gets its trace id, its traceback as text,
and loses every known secret, in this order: a value inside a traceback must not slip through.

A log line is never a reason to stop: the file counts what a full disk refuses (`log_file.py`).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from orca import errors
from orca.telemetry import traceparent
from orca.telemetry.log_file import LogFile

TRACE = 5
LEVELS: Mapping[str, int] = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FLOORS: Mapping[str, int] = {
    "aiohttp.access": logging.WARNING,  # every request, also as a metric
    "asyncio": logging.INFO,
    "docker": logging.INFO,
    "grpc": logging.INFO,
    "opentelemetry": logging.WARNING,
    "urllib3": logging.INFO,
}
"""Libraries say no more than this, whatever the level of orca's own log."""

_FIRST_KEYS = ("time", "level", "logger", "event")


class Logger(structlog.stdlib.BoundLogger):
    """structlog's logger with a level below debug."""

    def trace(self, event: str, **fields: Any) -> None:
        """Log what is wanted only when following one thing in full detail."""
        if not self.isEnabledFor(TRACE):
            return
        with suppress(structlog.DropEvent):
            positional, keywords = self._process_event("trace", event, fields)
            self._logger.log(TRACE, *positional, **keywords)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged, and where to."""

    level: str = "info"
    """One of `LEVELS`."""
    file: Path | None = None
    """JSON lines; None keeps no file."""
    console: bool = False
    """Readable lines on stderr: for a server in the foreground."""
    colors: bool = False
    """See `wants_colors`."""


def get_logger(name: str) -> Logger:
    """A logger that works before `configure` as the standard library's do."""
    logger: Logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=_CHAIN,
        wrapper_class=Logger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


def wants_colors(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to colour what goes to `stream`: a terminal, and `NO_COLOR` is unset or empty."""
    return stream.isatty() and not environment.get("NO_COLOR")


class LogPipeline:
    """The process's logging while it is configured; `close` puts back what was before."""

    def __init__(self, settings: LogSettings, *, redact: Iterable[Processor] = ()) -> None:
        """Raises `errors.UserError` for a level that is none; nothing has changed then."""
        level = level_number(settings.level)
        self._handlers = _handlers(settings, redact=tuple(redact))
        self._root = logging.getLogger()
        self._before = (self._root.level, list(self._root.handlers))
        self._floors_before = {name: logging.getLogger(name).level for name in _FLOORS}
        logging.addLevelName(TRACE, "TRACE")
        self._root.handlers[:] = self._handlers
        self._root.setLevel(level)
        self._raise_floors(level)
        logging.captureWarnings(True)
        structlog.configure(
            processors=_CHAIN,
            wrapper_class=Logger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=False,
        )

    def set_level(self, level: str) -> None:
        """Change the level while running. Raises `errors.UserError` for one that is none."""
        number = level_number(level)
        self._root.setLevel(number)
        self._raise_floors(number)

    def close(self) -> None:
        """Flush, close the file, and restore the logging of before."""
        logging.captureWarnings(False)
        level, handlers = self._before
        self._root.handlers[:] = handlers
        self._root.setLevel(level)
        for name, floor in self._floors_before.items():
            logging.getLogger(name).setLevel(floor)
        for handler in self._handlers:
            handler.close()
        structlog.reset_defaults()

    def _raise_floors(self, level: int) -> None:
        for name, floor in _FLOORS.items():
            logging.getLogger(name).setLevel(max(floor, level))


def configure(settings: LogSettings, *, redact: Iterable[Processor] = ()) -> LogPipeline:
    """Route everything that logs. `redact` are processors that remove what must not be written.

    Raises `errors.UserError` for a level that is none. A file that cannot be written is reported on
    stderr and does not stop anything.
    """
    return LogPipeline(settings, redact=redact)


def level_number(name: str) -> int:
    """The standard library's number for a level of cluster.toml."""
    try:
        return LEVELS[name.lower()]
    except KeyError:
        known = ", ".join(level for level in LEVELS if level != "warning")
        raise errors.UserError(
            f"{name!r} is not a log level", hint=f"Use one of {known}."
        ) from None


def _handlers(settings: LogSettings, *, redact: tuple[Processor, ...]) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    if settings.file is not None:
        file = LogFile(settings.file)
        file.setFormatter(_formatter(_ordered, _json, redact=redact))
        handlers.append(file)
    if settings.console:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(_formatter(_console(colors=settings.colors), redact=redact))
        handlers.append(console)
    return handlers or [logging.NullHandler()]


def _formatter(*render: Processor, redact: tuple[Processor, ...]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_logger_name,
            _add_level_of_record,
            structlog.stdlib.ExtraAdder(),
            _add_trace_id,
            _add_time,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *redact,
            *render,
        ],
    )


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )


def _ordered(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    first = {key: event[key] for key in _FIRST_KEYS if key in event}
    return {**first, **event}


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    # `repr` for what JSON does not know, and never a dataclass field by field: a repr may mask.
    text_keys = {str(key): value for key, value in event.items()}
    return json.dumps(text_keys, default=repr, ensure_ascii=False)


def _drop_disabled(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    level = logging.ERROR if method == "exception" else LEVELS.get(method, logging.CRITICAL)
    if not logger.isEnabledFor(level):
        raise structlog.DropEvent
    return event


def _add_level_of_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["level"] = event["_record"].levelname.lower()
    return event


def _add_trace_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    here = traceparent.current.get()
    if here is not None:
        event.setdefault("trace_id", here.trace_id)
    return event


_add_time = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")

_CHAIN: list[Processor] = [
    _drop_disabled,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _add_trace_id,
    _add_time,
    structlog.processors.StackInfoRenderer(),
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]

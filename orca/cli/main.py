"""The entry point, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from orca import errors
from orca.cli import dispatch, exits


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The console script `orca`."""
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but `SystemExit` ever escapes."""
    try:
        code = dispatch.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except errors.OrcaError as error:
        from orca.cli import failure

        return failure.report(error, arguments)
    except Exception as error:  # noqa: BLE001 - the supervisor of the whole program
        from orca.cli import failure

        return failure.crash(error, arguments)
    return code


def _reader_left() -> int:
    # Python flushes stdout once more at exit, and would complain about the same pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.BROKEN_PIPE

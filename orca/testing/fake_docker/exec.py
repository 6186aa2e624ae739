"""A command in a fake container."""

from __future__ import annotations

import asyncio

from orca.node.runtime import ExecSpec, Output
from orca.rpc.messages import Channel


class FakeExec:
    """A command that ends at once, or with its input."""

    def __init__(self, spec: ExecSpec) -> None:
        self._spec = spec
        self._outputs: asyncio.Queue[Output | None] = asyncio.Queue()
        self._code = 0
        self.size = (spec.columns, spec.rows)
        self._run()

    def _run(self) -> None:
        match self._spec.command:
            case ("cat", *_) if self._spec.stdin:
                return
            case ("echo", *words):
                self._say(" ".join(words) + "\n")
            case ("sh", "-c", script) if script.startswith("exit "):
                self._code = int(script.removeprefix("exit "))
            case ("false", *_):
                self._code = 1
            case ("true", *_) | ("cat", *_):
                self._code = 0
            case (name, *_):
                self._say(f'exec: "{name}": executable file not found in $PATH\n')
                self._code = 126
        self._outputs.put_nowait(None)

    def _say(self, text: str) -> None:
        self._outputs.put_nowait(Output(Channel.STDOUT, text.encode()))

    async def read(self) -> Output | None:
        """See `ExecSession`."""
        return await self._outputs.get()

    async def write(self, data: bytes) -> None:
        """See `ExecSession`."""
        self._outputs.put_nowait(Output(Channel.STDOUT, data))

    async def close_stdin(self) -> None:
        """See `ExecSession`."""
        self._outputs.put_nowait(None)

    async def resize(self, *, columns: int, rows: int) -> None:
        """See `ExecSession`."""
        self.size = (columns, rows)

    async def exit_code(self) -> int:
        """See `ExecSession`."""
        return self._code

    async def close(self) -> None:
        """See `ExecSession`."""

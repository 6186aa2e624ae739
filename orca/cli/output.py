"""Printing a result: as JSON or YAML it is the API's own body, as a table what a renderer made of it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import BaseModel
from rich.text import Text

from orca.cli import terminal


def emit(body: BaseModel, form: str, table: Callable[[], Text | str]) -> None:
    """Print one result."""
    if form in ("json", "yaml"):
        sys.stdout.write(encoded(body, form))
        sys.stdout.flush()
        return
    text = table()
    if text:
        terminal.show(text)


def emit_one_of_many(body: BaseModel, form: str, line: Callable[[], Text | str]) -> None:
    """Print one item of a stream: a line of JSON, a YAML document, or a line of text."""
    if form == "json":
        sys.stdout.write(body.model_dump_json() + "\n")
        sys.stdout.flush()
    elif form == "yaml":
        sys.stdout.write("---\n" + encoded(body, form))
        sys.stdout.flush()
    else:
        terminal.show(line())


def encoded(body: BaseModel, form: str) -> str:
    """The body as text, ending in a newline."""
    if form == "json":
        return body.model_dump_json(indent=2) + "\n"
    import yaml

    data = body.model_dump(mode="json")
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))

"""One module per command, each with `command` (a typer function) and `EXAMPLES` (for `--help`)."""

"""The `orca` command: parse, call the client, render.

What it is not: a place for decisions. Whatever a command needs to know about the cluster comes from the
API. The hard part is starting fast: `orca --help` imports neither the HTTP client nor the parser, so
`table` and `dispatch` know the commands by name, and a command's module is imported when it is run.
"""

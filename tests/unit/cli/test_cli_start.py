"""What a start of the program costs: which modules it imports. (Milliseconds are in benchmarks/.)"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"aiohttp", "aiodocker", "docker", "grpc", "opentelemetry", "pydantic", "rich", "typer"}
HEAVIEST = HEAVY - {"pydantic", "rich", "typer"}

SCRIPT = """
import sys
from orca.cli import main
code = main.run(sys.argv[1:])
print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}))
raise SystemExit(code)
"""


def imported(*arguments: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(ran.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("secrets", "--help"), ("_complete", "de")]
)
def test_overview_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [("deploy", "--help"), ("exec", "--help"), ("server", "--help"), ("completion", "bash")],
)
def test_help_of_a_command_imports_neither_client_nor_control_plane(
    arguments: tuple[str, ...],
) -> None:
    modules = imported(*arguments)
    assert modules & HEAVIEST == set()
    assert "typer" in modules  # else the test would prove nothing


def test_program_runs_as_a_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "orca", "xyzzy"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: There is no command `orca xyzzy`.\nhint: ")


def test_documents_are_what_the_code_says() -> None:
    root = Path(__file__).resolve().parents[3]
    spec = importlib.util.spec_from_file_location("gen_cli_docs", root / "scripts/gen_cli_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = [name for name, text in module.documents().items() if (root / name).read_text() != text]
    assert stale == [], "run scripts/gen_cli_docs.py"

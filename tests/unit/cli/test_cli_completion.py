"""What the shell is told when a key is pressed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orca.cli.completions.candidates import candidates
from orca.cli.completions.scripts import SCRIPTS
from orca.spec.service import ServiceSpec

if TYPE_CHECKING:
    from conftest import Api, Cli, Scripted


def known(kind: str) -> tuple[str, ...]:
    return {"service": ("web", "worker", "shop/web"), "secret": ("DB_PASSWORD",)}.get(kind, ())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["dep"], ("deploy",)),
        (["re"], ("restart",)),
        (["secrets", ""], ("set", "list", "rm", "import", "usages")),
        (["secrets", "u"], ("usages",)),
        (["secrets", "rm", "D"], ("DB_PASSWORD",)),
        (["logs", "w"], ("web", "worker")),
        (["restart", "web", "sh"], ("shop/web",)),
        (["completion", ""], ("bash", "zsh", "fish")),
        (["logs", "--ta"], ("--tail",)),
        (["exec", "web", "--", "w"], ()),
        (["nonsense", ""], ()),
        (["secrets", "nonsense", ""], ()),
        (["config", "schema", ""], ()),
    ],
)
def test_candidates_are_what_may_stand_there(words: list[str], found: tuple[str, ...]) -> None:
    assert candidates(words, known) == found


def test_candidates_for_nothing_are_all_commands() -> None:
    assert {"deploy", "status", "secrets"} <= set(candidates([], known))


def test_names_of_services_come_from_the_server(cli: Cli, api: Api, control: Scripted) -> None:
    for project in ("shop", "blog"):
        for name in ("web", project):
            spec = {"name": name, "project": project, "image": "i"}
            control._commit(ServiceSpec.model_validate(spec), "create")
    done = cli("_complete", "logs", "")
    assert done.code == 0
    assert set(done.out.splitlines()) == {
        "shop", "blog", "shop/web", "shop/shop", "blog/web", "blog/blog",
    }  # fmt: skip


def test_names_of_secrets_come_from_the_server(cli: Cli, api: Api, control: Scripted) -> None:
    control.kept["", "DB_PASSWORD"] = "x"
    assert cli("_complete", "secrets", "rm", "").out == "DB_PASSWORD\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [("ORCA_API", "http://127.0.0.1:9"), ("ORCA_API", "not a url"), ("ORCA_TOKEN", "wrong")],
)
def test_completion_is_silent_when_the_server_says_nothing(
    cli: Cli, api: Api, name: str, value: str
) -> None:
    cli.monkeypatch.setenv(name, value)
    done = cli("_complete", "logs", "")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script_is_understood_by_its_shell(shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    ran = subprocess.run(
        [found, "-n"], input=SCRIPTS[shell], text=True, capture_output=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_bash_completes_commands_and_subcommands(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "orca").write_text(f'#!/bin/sh\nexec {sys.executable} -m orca "$@"\n')
    (tmp_path / "orca").chmod(0o755)
    script = SCRIPTS["bash"] + (
        "COMP_WORDS=(orca secrets us); COMP_CWORD=2; _orca; echo ${COMPREPLY[@]}\n"
        "COMP_WORDS=(orca de); COMP_CWORD=1; _orca; echo ${COMPREPLY[@]}\n"
    )
    ran = subprocess.run(
        [bash, "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(Path.cwd())},
        text=True,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.splitlines() == ["usages", "deploy"]

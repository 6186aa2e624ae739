"""The repository itself: locks, generated files, documents and examples say what the code says."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import orca
from orca.spec import load, support

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMPOSE = yaml.safe_load((ROOT / "docker-compose.dev.yml").read_text())

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(
    r"    # +(via|(via )?-[cr] requirements.*\.lock|(via )?[a-z0-9.-]+( \(.*\))?)$"
)


# --- locks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_no_path_of_a_machine(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines()[2:]:
        pinned = re.match(r"[a-z0-9.-]+==[\w.!+]+( ; [^/\\]+)? \\$", line)
        hashed = re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", line)
        assert pinned or hashed or _COMMENT.match(line), line


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_what_the_project_asks_for(name: str) -> None:
    versions = _locked(name)
    groups = ("build", "dev") if name == "requirements-dev.lock" else ("build",)
    wanted = [*PROJECT["project"]["dependencies"], *_group_members(groups)]
    for requirement in map(Requirement, wanted):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked"


def test_locks_agree_with_each_other() -> None:
    run, develop = map(_locked, LOCKS)
    assert run.items() <= develop.items()


@pytest.mark.parametrize("name", LOCKS)
def test_lock_leaves_ray_out(name: str) -> None:
    assert "ray" not in _locked(name)


def test_import_of_the_command_line_leaves_ray_out() -> None:
    program = "import sys, orca.cli.main, orca.actors.local; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _locked(name: str) -> dict[str, str]:
    pins = re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def _group_members(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from (item for item in PROJECT["dependency-groups"][name] if isinstance(item, str))


# --- what is generated, and what is said twice ----------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        *((str(path),) for path in sorted(ROOT.glob("scripts/gen-*proto.sh"))),
        *((sys.executable, str(path)) for path in sorted(ROOT.glob("scripts/gen_*_docs.py"))),
    ],
    ids=lambda command: Path(command[-1]).name,
)
def test_generated_file_is_fresh(command: tuple[str, ...]) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        [*command, "--check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_version_is_the_same_for_pip_and_python() -> None:
    assert importlib.metadata.version("orca") == orca.__version__


def test_package_says_that_it_is_typed() -> None:
    assert (ROOT / "orca" / "py.typed").exists()


def test_changes_begin_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("\nexec make test")
    assert "\nmake test\n" in (ROOT / "README.md").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", sorted(ROOT.glob("scripts/*.sh")), ids=lambda path: path.name)
def test_shell_script_parses(path: Path) -> None:
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_link_of_a_document_leads_somewhere(page: Path) -> None:
    missing = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            missing.append(link)
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"]
    assert [page.name for page in pages if f"]({page.name})" not in index] == []


def _anchors(page: Path) -> set[str]:
    """The anchors of the headings, as the usual Markdown sites make them."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("examples/*/cluster.toml")), ids=lambda file: file.parent.name
)
def test_example_configuration_can_be_deployed(file: Path) -> None:
    loaded = load.load(file.parent).require()
    assert loaded.services
    assert not loaded.warnings
    for spec in (loaded.cluster, *loaded.services):
        assert support.unsupported(spec) == ()


def test_example_of_getting_started_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text()
    cluster, services = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    directory = tmp_path / "services" / "shop"
    directory.mkdir(parents=True)
    (tmp_path / "cluster.toml").write_text(cluster)
    (directory / "service.toml").write_text(services)
    assert [spec.name for spec in load.load(tmp_path).require().services] == ["db", "web"]


def test_compose_has_the_servers_that_developers_need() -> None:
    names = {"etcd1", "etcd2", "etcd3", "redis", "rabbitmq", "registry"}
    assert set(COMPOSE["services"]) == names


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_compose_service_is_pinned_watched_and_on_loopback_only(name: str) -> None:
    service = COMPOSE["services"][name]
    assert re.search(r":v?\d+\.\d+\.\d+(-[\w-]+)?$", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert [volume.split(":")[0] for volume in service["volumes"]] == [name]
    assert name in COMPOSE["volumes"]


def test_compose_ports_are_given_once() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service["ports"]]
    assert len(ports) == len({port.rsplit(":", 1)[0] for port in ports})


def test_compose_etcd_members_know_each_other() -> None:
    for name in ("etcd1", "etcd2", "etcd3"):
        environment = COMPOSE["services"][name]["environment"]
        peer = f"{name}={environment['ETCD_INITIAL_ADVERTISE_PEER_URLS']}"
        assert peer in environment["ETCD_INITIAL_CLUSTER"].split(",")
        host, inner = COMPOSE["services"][name]["ports"][0].rsplit(":", 1)
        assert (inner, environment["ETCD_ADVERTISE_CLIENT_URLS"]) == ("2379", f"http://{host}")


# --- tests ------------------------------------------------------------------------------------------


def test_helper_modules_of_tests_have_names_of_their_own() -> None:
    helpers = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith(("test_", "conftest"))
    ]
    assert [name for name, count in Counter(helpers).items() if count > 1] == []
    assert [name for name in helpers if Path(name).stem in sys.stdlib_module_names] == []

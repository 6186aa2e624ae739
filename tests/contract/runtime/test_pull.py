"""Pulling from a real registry: policies, digests, credentials, and refusals with advice."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import Bench, DockerSite
from tiny_registry import PASSWORD, USER, TinyRegistry

from orca import errors
from orca.model.container import PullPolicy


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    with TinyRegistry() as registry:
        yield registry


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker configuration of the test's own: the developer's log-ins must not count."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


async def test_mutable_tag_is_asked_for_again_and_followed(
    docker: Bench, registry: TinyRegistry
) -> None:
    image = f"{registry.address}/shop/web:latest"
    first = registry.push("shop/web", "latest", says="one")
    resolve = docker.runtime.resolve_image
    assert await resolve(image, pull=PullPolicy.AUTO) == f"{registry.address}/shop/web@{first}"
    second = registry.push("shop/web", "latest", says="two")
    assert await resolve(image, pull=PullPolicy.AUTO) == f"{registry.address}/shop/web@{second}"


async def test_immutable_tag_is_asked_for_once(docker: Bench, registry: TinyRegistry) -> None:
    image = f"{registry.address}/shop/web:1.2.3"
    digest = registry.push("shop/web", "1.2.3", says="one")
    for _ in range(2):
        found = await docker.runtime.resolve_image(image, pull=PullPolicy.AUTO)
        assert found == f"{registry.address}/shop/web@{digest}"
    asked = registry.asked.total()
    await docker.runtime.resolve_image(image, pull=PullPolicy.IF_MISSING)
    assert registry.asked.total() == asked
    await docker.runtime.resolve_image(image, pull=PullPolicy.ALWAYS)
    assert registry.asked.total() > asked


async def test_image_runs_by_the_digest_it_resolved_to(
    docker: Bench, registry: TinyRegistry
) -> None:
    digest = registry.push("shop/web", "1", says="exactly this one")
    image = f"{registry.address}/shop/web@{digest}"
    assert await docker.runtime.resolve_image(image, pull=PullPolicy.AUTO) == image
    container = await docker.run(image)
    ended = await docker.until_ended(container)
    assert ended.exit_code == 0


async def test_image_with_a_digest_of_another_repository_keeps_its_id(
    docker: Bench, registry: TinyRegistry
) -> None:
    image = f"{registry.address}/shop/web:1.0.0"
    registry.push("shop/web", "1.0.0", says="one")
    await docker.runtime.resolve_image(image, pull=PullPolicy.AUTO)
    site = docker.site
    assert isinstance(site, DockerSite)
    site.engine.docker("tag", image, "orca-test/renamed:1.0.0")
    found = await docker.runtime.resolve_image("orca-test/renamed:1.0.0", pull=PullPolicy.AUTO)
    assert found.startswith("sha256:")


async def test_unknown_tag_is_permanent(docker: Bench, registry: TinyRegistry) -> None:
    with pytest.raises(errors.ImageError, match="no such image or tag") as caught:
        await docker.runtime.resolve_image(f"{registry.address}/shop/web:9", pull=PullPolicy.AUTO)
    assert caught.value.permanent


async def test_missing_login_is_told_apart(docker: Bench, registry: TinyRegistry) -> None:
    registry.push("private/web", "1", says="one")
    registry.needs_login.add("private/web")
    with pytest.raises(errors.ImageError, match="refuses the credentials") as caught:
        await docker.runtime.resolve_image(
            f"{registry.address}/private/web:1", pull=PullPolicy.AUTO
        )
    assert "docker login" in caught.value.hint
    assert caught.value.permanent


async def test_login_of_the_docker_cli_is_used(
    docker: Bench, registry: TinyRegistry, config: Path
) -> None:
    digest = registry.push("private/web", "1", says="one")
    registry.needs_login.add("private/web")
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config.write_text(json.dumps({"auths": {registry.address: {"auth": secret}}}))
    found = await docker.runtime.resolve_image(
        f"{registry.address}/private/web:1", pull=PullPolicy.AUTO
    )
    assert found.endswith(digest)


async def test_credential_helper_is_used(
    docker: Bench,
    registry: TinyRegistry,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digest = registry.push("private/web", "1", says="one")
    registry.needs_login.add("private/web")
    helper = tmp_path / "docker-credential-orcatest"
    said = json.dumps({"ServerURL": registry.address, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{said}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    config.write_text(json.dumps({"credHelpers": {registry.address: "orcatest"}}))
    found = await docker.runtime.resolve_image(
        f"{registry.address}/private/web:1", pull=PullPolicy.AUTO
    )
    assert found.endswith(digest)


@pytest.mark.filterwarnings("ignore:docker-credential-not-installed")
async def test_broken_credential_helper_is_named(
    docker: Bench, registry: TinyRegistry, config: Path
) -> None:
    config.write_text(json.dumps({"credHelpers": {registry.address: "not-installed"}}))
    with pytest.raises(
        errors.ImageError, match="credentials on this host cannot be read"
    ) as caught:
        await docker.runtime.resolve_image(f"{registry.address}/shop/web:1", pull=PullPolicy.AUTO)
    assert "config.json" in caught.value.hint


async def test_rate_limit_may_pass(docker: Bench, registry: TinyRegistry) -> None:
    registry.refuses_with = 429
    with pytest.raises(errors.ImageError, match="limits how often") as caught:
        await docker.runtime.resolve_image(f"{registry.address}/shop/web:1", pull=PullPolicy.AUTO)
    assert not caught.value.permanent


async def test_registry_that_is_away_may_come_back(docker: Bench) -> None:
    with pytest.raises(errors.ImageError, match="cannot be reached") as caught:
        await docker.runtime.resolve_image("127.0.0.1:1/shop/web:1", pull=PullPolicy.AUTO)
    assert not caught.value.permanent

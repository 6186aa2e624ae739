"""The Docker Engine as `make run` needs it: is there one, and build the example's image on it.

Uses the Engine's API, not the `docker` command: that one may be missing, or may insist on a builder that
is not installed. The image is made from one static program, so no registry is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import docker
from docker import errors as docker_errors

INPUTS_LABEL = "example.inputs"
"""What the image was built from; equal inputs are not built again."""


def main() -> int:
    """Run one subcommand; the exit code says whether it worked."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="print the version of the Engine that answers")
    build = commands.add_parser("build", help="build an image, unless it is there")
    build.add_argument("--tag", required=True)
    build.add_argument("--context", type=Path, required=True, help="directory with a Dockerfile")
    build.add_argument("--busybox", type=Path, required=True, help="a static busybox to add")
    options = parser.parse_args()
    try:
        client = docker.from_env(timeout=120)
        if options.command == "version":
            print(client.version()["Version"])
        else:
            print(ensure_image(client, options.tag, read_context(options.context, options.busybox)))
    except docker_errors.BuildError as error:
        print("".join(str(line.get("stream", "")) for line in error.build_log), file=sys.stderr)
        print(f"the image {options.tag} could not be built: {error}", file=sys.stderr)
        return 1
    except docker_errors.DockerException as error:
        print(f"Docker: {error}", file=sys.stderr)
        return 1
    return 0


def read_context(directory: Path, busybox: Path) -> dict[str, Path]:
    """The files of a build by their name in it."""
    files = {
        str(path.relative_to(directory)): path
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    return files | {"busybox": busybox}


def ensure_image(client: docker.DockerClient, tag: str, files: dict[str, Path]) -> str:
    """Build `files` as `tag` and say so, or say that it is there already."""
    inputs = digest(files)
    try:
        if client.images.get(tag).labels.get(INPUTS_LABEL) == inputs:
            return f"the image {tag} is there"
    except docker_errors.ImageNotFound:
        pass
    client.images.build(
        fileobj=archive(files),
        custom_context=True,
        tag=tag,
        labels={INPUTS_LABEL: inputs},
        rm=True,
        forcerm=True,
    )
    return f"built the image {tag}"


def digest(files: dict[str, Path]) -> str:
    """One number for names, modes and contents."""
    total = hashlib.sha256()
    for name, path in files.items():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{name} {mode(path):o} {content}\n".encode())
    return total.hexdigest()


def archive(files: dict[str, Path]) -> io.BytesIO:
    """The same files as a tar archive, owned by root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, mode(path)
            with path.open("rb") as content:
                tar.addfile(entry, content)
    buffer.seek(0)
    return buffer


def mode(path: Path) -> int:
    """0755 or 0644, whatever the umask of the checkout was."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


if __name__ == "__main__":
    sys.exit(main())

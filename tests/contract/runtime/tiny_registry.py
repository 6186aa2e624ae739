"""A container registry small enough to read: the pull half of the Distribution API, with a password.

A real dockerd pulls from it over loopback, where no TLS is demanded.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from orca.testing.engine import busybox_rootfs

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
USER, PASSWORD = "orca", "right"


class TinyRegistry:
    """Serves what was pushed with `push`; counts what was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.refuses_with = 0
        """Answer every request for a manifest with this status."""
        self.needs_login: set[str] = set()
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[tuple[str, str], bytes] = {}
        self._layer = busybox_rootfs()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def push(self, repository: str, tag: str, *, says: str) -> str:
        """Put an image there that echoes `says`; returns its digest."""
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/sh", "-c", f"echo {says}"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(self._layer)]},
        }
        layer = gzip.compress(self._layer, 1, mtime=0)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._keep(json.dumps(config).encode(), "container.image.v1+json"),
            "layers": [self._keep(layer, "image.rootfs.diff.tar.gzip")],
        }
        content = json.dumps(manifest).encode()
        digest = _digest(content)
        self._manifests[repository, tag] = self._manifests[repository, digest] = content
        return digest

    def _keep(self, content: bytes, kind: str) -> dict[str, Any]:
        digest = _digest(content)
        self._blobs[digest] = content
        media = f"application/vnd.docker.{kind}"
        return {"mediaType": media, "size": len(content), "digest": digest}

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        if path == "/v2/":
            ok = not self.needs_login or authorization == _basic()
            return (200 if ok else 401), "application/json", b"{}"
        repository, kind, name = path.removeprefix("/v2/").rsplit("/", 2)
        if repository in self.needs_login and authorization != _basic():
            return _error(401, "UNAUTHORIZED", "authentication required")
        if kind == "blobs":
            return 200, "application/octet-stream", self._blobs[name]
        self.asked[f"{repository}:{name}"] += 1
        if self.refuses_with:
            return _error(
                self.refuses_with, "TOOMANYREQUESTS", "you have reached your pull rate limit"
            )
        found = self._manifests.get((repository, name))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return 200, MANIFEST, found

    def _handler(registry) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = registry.answer(
                    self.path, self.headers.get("Authorization", "")
                )
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Docker-Content-Digest", _digest(body))
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="orca"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _error(status: int, code: str, message: str) -> tuple[int, str, bytes]:
    body = {"errors": [{"code": code, "message": message}]}
    return status, "application/json", json.dumps(body).encode()

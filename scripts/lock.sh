#!/usr/bin/env bash
# Resolve pyproject.toml into the lock files: every version and hash, no address of any index.
#   lock.sh [--upgrade]      without it, versions that still fit stay
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@"
}

compile --group build -o requirements.lock "$@"
compile --group dev -c requirements.lock -o requirements-dev.lock "$@"

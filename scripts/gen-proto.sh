#!/usr/bin/env bash
# Generate the committed protobuf code from proto/. With --check: fail when it is not fresh.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$python" -m grpc_tools.protoc -I proto --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" proto/orca/v1/*.proto
# Generated imports name the proto package; the code lives in orca.rpc.v1.
sed -i 's/^from orca\.v1 import/from orca.rpc.v1 import/' "$out"/orca/v1/*.py "$out"/orca/v1/*.pyi
echo '"""Generated from proto/orca/v1 by scripts/gen-proto.sh; do not edit."""' > "$out/orca/v1/__init__.py"

if [ "${1:-}" = --check ]; then
    diff -r -x __pycache__ "$out/orca/v1" orca/rpc/v1 || { echo "generated protobuf code is stale: run scripts/gen-proto.sh" >&2; exit 1; }
else
    mkdir -p orca/rpc/v1 && cp "$out"/orca/v1/* orca/rpc/v1/
fi

#!/usr/bin/env bash
# Generate the committed messages of etcd's API from proto/etcd/. With --check: fail when they are not fresh.
# The services are called by name, so no gRPC code is generated.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
package=orca/store/etcdpb
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$python" -m grpc_tools.protoc -I "$package=proto/etcd" --python_out="$out" --pyi_out="$out" \
    "$package/kv.proto" "$package/rpc.proto"
cp "$package/__init__.py" "$out/$package/"

if [ "${1:-}" = --check ]; then
    diff -r -x __pycache__ "$out/$package" "$package" ||
        { echo "generated etcd messages are stale: run scripts/gen-etcd-proto.sh" >&2; exit 1; }
else
    cp "$out/$package"/*_pb2.py* "$package/"
fi

#!/usr/bin/env bash
# From a clone to a deployed example on this host; `make run` calls it. Running it again changes nothing.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

EXAMPLE=$ROOT/examples/hello
IMAGE=orca-hello:1
export ORCA_HOME=${ORCA_HOME:-$HOME/.orca}
# This is about the server of this host, whatever the shell is used for otherwise.
unset ORCA_API ORCA_TOKEN ORCA_CONFIG_DIR

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

orca() { "$VENV/bin/orca" "$@"; }

# The value at a path of the JSON on stdin, or nothing: json_get server config_root
json_get() {
    "$VENV/bin/python" -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1:]:
    value = value[int(key)] if isinstance(value, list) else (value or {}).get(key)
print("" if value is None else value)' "$@"
}

# Prints the path of a static busybox. Taken out of its package, not installed: the package would
# replace an installed dynamic one.
find_busybox() {
    if has_static_busybox; then
        command -v busybox
        return
    fi
    have apt-get || die "a static busybox is needed to build the example's image" "Put one on PATH."
    apt_update_once
    cd "$scratch"
    quiet apt-get -o APT::Sandbox::User=root download busybox-static || die "busybox-static could not be fetched"
    dpkg -x busybox-static_*.deb package
    find "$scratch/package" -name busybox -type f -perm -u+x
}

build_image() {
    local busybox said
    busybox=$(find_busybox)
    [ -n "$busybox" ] || die "the package busybox-static holds no busybox"
    said=$(engine build --tag "$IMAGE" --context "$EXAMPLE/image" --busybox "$busybox") ||
        die "the example's image could not be built"
    note "$said"
}

start_server() {
    local root
    root=$(orca version -o json 2>/dev/null | json_get server config_root) || root=
    if [ -z "$root" ]; then
        step "starting orca (state in $ORCA_HOME)"
        orca server -d -C "$EXAMPLE" || die "orca did not start" \
            "If a port is taken: choose others in examples/hello/cluster.toml, under [proxy] and [cluster] (api_port, grpc_port)." \
            "Its log: $ORCA_HOME/orca.log"
    elif [ "$root" != "$EXAMPLE" ]; then
        die "an orca server with another configuration runs on this host: $root" \
            "Add the example to it: .venv/bin/orca deploy -C $EXAMPLE" \
            "Or end it first:       .venv/bin/orca shutdown"
    else
        step "orca runs already (state in $ORCA_HOME)"
    fi
}

fetch() {
    "$VENV/bin/python" -c '
import sys, urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=3).read().decode(), end="")' "$1"
}

try_url() { fetch "$1" >"$scratch/answer" 2>"$scratch/error"; }

show_result() {
    local url
    url=$(orca status hello -o json | json_get services 0 urls 0)
    [ -n "$url" ] || die "the service was deployed but has no URL" "$(orca why hello 2>&1 || true)"
    wait_until 10 try_url "$url" || die "$url does not answer: $(tail -n 1 "$scratch/error")" "$(orca why hello 2>&1 || true)"
    printf '\n  %s\n  %s\n\n' "$url" "$(cat "$scratch/answer")"
    orca status
}

print_next() {
    cat <<END

Next:
  export PATH="$VENV/bin:\$PATH"     # or: ln -s $VENV/bin/orca /usr/local/bin/orca
  cd $EXAMPLE
  \$EDITOR services/demo/service.toml   # another GREETING, then:
  orca deploy                          # shows the plan, asks, replaces the replicas one by one
  orca rollback hello
  orca scale hello=4
  orca logs hello -f
  orca shutdown                        # the control plane only; hello keeps serving
  orca shutdown --all                  # everything

An application of your own: docs/getting-started.md
END
}

ensure_venv requirements.lock
ensure_etcd
ensure_docker
step "orca $("$VENV/bin/python" -c 'import orca; print(orca.__version__)'), $("$VENV/bin/python" --version), Docker $(engine version)"
build_image
start_server
step "deploying the example"
orca deploy -C "$EXAMPLE" -y
show_result
print_next

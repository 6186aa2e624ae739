#!/usr/bin/env bash
# Everything that has to hold before a change is merged. All of it runs even when something fails.
#   test.sh [static] [fast] [host]      default: all three
# static: formatting, lint, types, layers, generated files; fast: the tests that need nothing but Python;
# host: the tests on a real Docker, etcd and Envoy. Those of integration wait more than they work: several
# files at once, each worker with an engine of its own.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PATH="$VENV/bin:$PATH" PYTHON=$VENV/bin/python
failed=()

# check NAME COMMAND…
check() {
    local name=$1 started=$SECONDS
    shift
    if quiet "$@"; then
        printf 'ok      %-28s %3d s\n' "$name" $((SECONDS - started))
    else
        printf 'FAILED  %s\n' "$name"
        failed+=("$name")
    fi
}

# tier NAME PYTEST-ARGUMENT…
tier() {
    local name=$1
    shift
    step "$name"
    pytest --junitxml="$scratch/${name%% *}.xml" "$@" || failed+=("$name")
}

static() {
    step "static checks"
    check "format" ruff format --check .
    check "lint" ruff check .
    check "types" mypy
    check "layers" lint-imports
    local generator
    for generator in scripts/gen-*proto.sh; do
        check "${generator#*/}" "$generator" --check
    done
    for generator in scripts/gen_*_docs.py; do
        check "${generator#*/}" python "$generator" --check
    done
}

fast() { tier "fast tests (unit, actor, simulation)" -n "${WORKERS:-2}" tests/unit tests/actor tests/simulation; }

# Without these some tests cannot run. Those of the shells are skipped then, all others fail.
packages() {
    provide dockerd:docker.io iptables:iptables ip:iproute2 etcd:etcd-server curl:curl zsh:zsh fish:fish
    provide docker:docker-cli # Debian 12 has it in docker.io
    has_static_busybox || apt_install busybox-static
}

host() {
    packages
    tier "contract tests" tests/contract
    tier "integration tests" -n "${WORKERS:-2}" --dist loadfile tests/integration
}

ensure_venv requirements-dev.lock
for name in "${@:-all}"; do
    case $name in
        all) packages && static && fast && host ;;
        static | fast | host) "$name" ;;
        *) die "there is no part named $name" ;;
    esac
done
[ -z "$(ls "$scratch")" ] || python scripts/sum_tests.py "$scratch"/*.xml
((${#failed[@]} == 0)) || die "failed: $(printf '%s; ' "${failed[@]}")"

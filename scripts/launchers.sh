#!/usr/bin/env bash
# Sourced by the launchers in models/*/scripts/: arguments, checks of paths, and the hand-over to `mindzoo launch`.
#
#   take "$@"                       sets ARGUMENTS; takes --foreground, and what follows a -- for train.py or eval.py
#   want LEAST MOST USAGE           ends with status 1 where ARGUMENTS are fewer or more
#   absolute PATH                   prints the path as seen from the caller's folder
#   file NAME PATH, folder NAME PATH    the same, and ends with status 1 where there is none
#   table NAME PATH                 the same for a rank table, which may be the folder that a platform writes it into
#   launch NETWORK COMMAND FLAGS... -- FLAGS...    FLAGS of launch, then of the command; ends this process with its status
#
# STARTED is what is said once the job runs in the background. DOT ends the sentences of file and folder, where the original's had one. DEVICE_TARGET is the device to compute on, by
# default Ascend. PYTHON is the interpreter to use. LAUNCH_FLAGS are more flags of launch, such as "--bind_core".
set -euo pipefail

ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
ARGUMENTS=()
COMMAND_FLAGS=()
MODE=(--background)

take() {
    while [ $# -gt 0 ]; do
        case $1 in
        --foreground) MODE=() ;;
        --)
            shift
            COMMAND_FLAGS=("$@")
            break
            ;;
        *) ARGUMENTS+=("$1") ;;
        esac
        shift
    done
}

want() {
    if [ "${#ARGUMENTS[@]}" -lt "$1" ] || [ "${#ARGUMENTS[@]}" -gt "$2" ]; then
        refuse "Usage: $3"
    fi
}

refuse() {
    printf '%s\n' "$*" >&2
    exit 1
}

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}

file() {
    local path
    path=$(absolute "$2")
    [ -f "$path" ] || refuse "error: $1=$path is not a file${DOT:-}"
    printf '%s\n' "$path"
}

table() {
    local path
    path=$(absolute "$2")
    if [ ! -d "$path" ]; then
        path=$(file "$1" "$2") || exit 1
    fi
    printf '%s\n' "$path"
}

folder() {
    local path
    path=$(absolute "$2")
    [ -d "$path" ] || refuse "error: $1=$path is not a directory${DOT:-}"
    printf '%s\n' "$path"
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python}" python3; do
        if command -v "$candidate" >/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    refuse "error: ${PYTHON:-python} is not there; activate the environment that has MindSpore, or set PYTHON"
}

launch() {
    local python more words
    python=$(find_python)
    read -ra more <<<"${LAUNCH_FLAGS:-}"
    words=("$ROOT" launch "$1" "$2" --device_target "${DEVICE_TARGET:-Ascend}" ${MODE[@]+"${MODE[@]}"}
        ${more[@]+"${more[@]}"} "${@:3}" ${COMMAND_FLAGS[@]+"${COMMAND_FLAGS[@]}"})
    if [ ${#MODE[@]} -eq 0 ] || [ -z "${STARTED:-}" ]; then
        exec "$python" "${words[@]}"
    fi
    "$python" "${words[@]}"
    printf '%s\n' "$STARTED"
}

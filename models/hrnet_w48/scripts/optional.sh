#!/usr/bin/env bash
# Sourced by the launchers of this folder.
#
#   tell_apart ARGUMENT...    sets OPTIONAL: a whole number is the epoch to begin with, a file the checkpoint to go on
#                             from, a folder the evaluation set; so every order of them is understood
OPTIONAL=()

tell_apart() {
    local argument path
    for argument in "$@"; do
        path=$(absolute "$argument")
        if [[ $argument =~ ^[0-9]+$ ]]; then
            add --begin_epoch "$argument"
        elif [ -f "$path" ] || [[ $argument =~ \.(ckpt|pth|tar|bin|safetensors)$ ]]; then
            path=$(file CKPT_PATH "$path")
            add --checkpoint_path "$path"
        else
            path=$(folder EVAL_DATASET_PATH "$path")
            add --eval_data_path "$path"
        fi
    done
}

add() {
    local before
    for before in ${OPTIONAL[@]+"${OPTIONAL[@]}"}; do
        # shellcheck disable=SC2154 # the launcher sets it
        [ "$before" != "$1" ] || refuse "Usage: $usage"
    done
    OPTIONAL+=("$@")
}

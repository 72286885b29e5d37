#!/usr/bin/env bash
# Evaluates a checkpoint on one device in the foreground, in eval.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 3 3 "sh run_eval.sh [DATA_PATH] [DEVICE_ID] [CKPT_PATH]"
data=$(folder DATA_PATH "${ARGUMENTS[0]}")
checkpoint=$(file CKPT_PATH "${ARGUMENTS[2]}")
MODE=()
launch glore_res50 eval --devices "${ARGUMENTS[1]}" --rank_folder eval --log_name eval.log --env_name env0.log \
    --done_line "evaling success" --failed_line "evaling failed" -- --data_dir "$data" --checkpoint "$checkpoint"

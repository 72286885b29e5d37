#!/usr/bin/env bash
# Trains on one device in the foreground, in train.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 2 2 "sh run_standalone_train.sh [DATA_PATH] [DEVICE_ID]"
data=$(folder DATA_PATH "${ARGUMENTS[0]}")
MODE=()
launch glore_res50 train --devices "${ARGUMENTS[1]}" --rank_folder train --log_name train_alone.log \
    --env_name env0.log --done_line "training success" --failed_line "training failed" -- --data_dir "$data"

#!/usr/bin/env bash
# Trains on one device in the background; the log is ./log.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"
# shellcheck source=optional.sh
source "$(dirname "$(readlink -f "$0")")/optional.sh"

take "$@"
usage='bash scripts/run_standalone_train.sh [DATASET_PATH] [TRAIN_OUTPUT_PATH] [CHECKPOINT_PATH](optional) [BEGIN_EPOCH](optional) [EVAL_DATASET_PATH](optional)'
want 2 5 "$usage"
DOT=.
data=$(folder DATA_PATH "${ARGUMENTS[0]}")
output=$(absolute "${ARGUMENTS[1]}")
tell_apart "${ARGUMENTS[@]:2}"
launch hrnet_w48 train --rank_folder . --env_name '' \
    -- --data_path "$data" --train_path "$output" ${OPTIONAL[@]+"${OPTIONAL[@]}"}

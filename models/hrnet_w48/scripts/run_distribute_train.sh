#!/usr/bin/env bash
# Trains on the devices of a rank table in the background, each rank in train_parallel0, train_parallel1, ...
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"
# shellcheck source=optional.sh
source "$(dirname "$(readlink -f "$0")")/optional.sh"

take "$@"
usage='bash scripts/run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [TRAIN_OUTPUT_PATH] [CHECKPOINT_PATH](optional) [BEGIN_EPOCH](optional) [EVAL_DATASET_PATH](optional)'
want 3 6 "$usage"
DOT=.
table=$(table RANK_TABLE_FILE "${ARGUMENTS[0]}")
data=$(folder DATA_PATH "${ARGUMENTS[1]}")
output=$(absolute "${ARGUMENTS[2]}")
tell_apart "${ARGUMENTS[@]:3}"
launch hrnet_w48 train --rank_table "$table" --rank_folder 'train_parallel{rank}' \
    --rank_line 'Start training for rank {rank}, device {device}.' \
    -- --data_path "$data" --train_path "$output" ${OPTIONAL[@]+"${OPTIONAL[@]}"}

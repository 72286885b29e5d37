#!/usr/bin/env bash
# Trains on the devices of a rank table in the background, each rank in train_parallel0, train_parallel1, ...
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 3 3 "bash run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [DEVICE_NUM]"
table=$(table RANK_TABLE_FILE "${ARGUMENTS[0]}")
data=$(folder DATASET_PATH "${ARGUMENTS[1]}")
launch multigrain train --rank_table "$table" --ranks "${ARGUMENTS[2]}" --rank_folder 'train_parallel{rank}' --bind_core \
    -- --config_path "$ROOT/models/multigrain/config/resnet50_imagenet2012_Ascend_Thor_config.yaml" --data_dir "$data"

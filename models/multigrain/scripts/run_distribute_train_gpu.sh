#!/usr/bin/env bash
# Trains on DEVICE_NUM devices in the background, in train_parallel: log is that of rank 0, log_output has those of all.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 2 2 "bash run_distribute_train_gpu.sh [DATASET_PATH] [DEVICE_NUM]"
DEVICE_TARGET=${DEVICE_TARGET:-GPU}
data=$(folder DATASET_PATH "${ARGUMENTS[0]}")
launch multigrain train --ranks "${ARGUMENTS[1]}" --rank_folder 'train_parallel/rank{rank}' \
    --folder_link 'train_parallel/log_output/rank.{rank}' --log_link train_parallel/log \
    -- --config_path "$ROOT/models/multigrain/config/resnet50_imagenet2012_GPU_Thor_config.yaml" --data_dir "$data"

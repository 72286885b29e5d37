#!/usr/bin/env bash
# Trains on one device in the background, in train.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 1 2 "bash run_standalone_train_gpu.sh [DATASET_PATH] [CONFIG_PATH](optional)"
DEVICE_TARGET=${DEVICE_TARGET:-GPU}
data=$(folder DATASET_PATH "${ARGUMENTS[0]}")
config=$(file CONFIG_PATH "${ARGUMENTS[1]:-$ROOT/models/multigrain/config/resnet50_imagenet2012_GPU_Thor_config.yaml}")
launch multigrain train --rank_folder train -- --config_path "$config" --data_dir "$data"

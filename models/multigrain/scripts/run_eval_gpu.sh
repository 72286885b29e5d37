#!/usr/bin/env bash
# Evaluates a checkpoint on one device in the background, in eval.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 2 2 "bash run_eval_gpu.sh [DATASET_PATH] [CHECKPOINT_PATH]"
DEVICE_TARGET=${DEVICE_TARGET:-GPU}
data=$(folder DATASET_PATH "${ARGUMENTS[0]}")
checkpoint=$(file CHECKPOINT_PATH "${ARGUMENTS[1]}")
launch multigrain eval --rank_folder eval -- --data_dir "$data" --checkpoint "$checkpoint"

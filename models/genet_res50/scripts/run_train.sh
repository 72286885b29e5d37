#!/usr/bin/env bash
# Trains on one device in the background, in train_standalone.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 4 5 "bash run_train.sh [DATASET_PATH] [MLP] [EXTRA] [DEVICE_ID] [PRETRAINED_CKPT_PATH](optional)"
data=$(folder DATASET_PATH "${ARGUMENTS[0]}")
flags=(--data_dir "$data" --mlp "${ARGUMENTS[1]}" --extra "${ARGUMENTS[2]}")
if [ ${#ARGUMENTS[@]} -eq 5 ]; then
    flags+=(--pretrained "$(file PRETRAINED_CKPT_PATH "${ARGUMENTS[4]}")")
fi
launch genet_res50 train --devices "${ARGUMENTS[3]}" --rank_folder train_standalone -- "${flags[@]}"

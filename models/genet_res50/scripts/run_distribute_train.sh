#!/usr/bin/env bash
# Trains on the devices of a rank table in the background, each rank in train_parallel0, train_parallel1, ...
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 4 5 "bash run_distribute_train.sh [RANK_TABLE_FILE] [DATASET_PATH] [MLP] [EXTRA] [PRETRAINED_CKPT_PATH](optional)"
table=$(table RANK_TABLE_FILE "${ARGUMENTS[0]}")
data=$(folder DATASET_PATH "${ARGUMENTS[1]}")
flags=(--data_dir "$data" --mlp "${ARGUMENTS[2]}" --extra "${ARGUMENTS[3]}")
if [ ${#ARGUMENTS[@]} -eq 5 ]; then
    flags+=(--pretrained "$(file PRETRAINED_CKPT_PATH "${ARGUMENTS[4]}")")
fi
launch genet_res50 train --rank_table "$table" --rank_folder 'train_parallel{rank}' \
    --log_link 'train/device{rank}/train.log' --rank_line 'start training for rank {rank}, device {device}' \
    -- "${flags[@]}"

#!/usr/bin/env bash
# Trains on the devices of a rank table in the background, each rank in train_0, train_1, ...
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 3 4 "sh scripts/run_distribute_train.sh [DEVICE_NUM] [RANK_TABLE_FILE] [DATASET] [CKPT_FILE](optional)"
table=$(table RANK_TABLE_FILE "${ARGUMENTS[1]}")
data=$(folder DATASET "${ARGUMENTS[2]}")
flags=(--data_dir "$data")
if [ ${#ARGUMENTS[@]} -eq 4 ]; then
    flags+=(--pretrained "$(file CKPT_FILE "${ARGUMENTS[3]}")")
fi
STARTED="After running the script, the network runs in the background. The log will be generated in train_x/log.txt"
launch densenet121 train --ranks "${ARGUMENTS[0]}" --rank_table "$table" --rank_folder 'train_{rank}' \
    --log_name log.txt --folder_link 'train{rank}' -- "${flags[@]}"

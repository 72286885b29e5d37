#!/usr/bin/env bash
# Evaluates a checkpoint on the devices of a rank table in the background, each rank in eval_0, eval_1, ...
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 4 4 "sh scripts/run_distribute_eval.sh [DEVICE_NUM] [RANK_TABLE_FILE] [DATASET] [CKPT_PATH]"
table=$(table RANK_TABLE_FILE "${ARGUMENTS[1]}")
data=$(folder DATASET "${ARGUMENTS[2]}")
checkpoint=$(file CKPT_PATH "${ARGUMENTS[3]}")
STARTED="After running the script, the network runs in the background. The log will be generated in eval_x/log.txt"
launch densenet121 eval --ranks "${ARGUMENTS[0]}" --rank_table "$table" --rank_folder 'eval_{rank}' \
    --log_name log.txt -- --data_dir "$data" --checkpoint "$checkpoint"

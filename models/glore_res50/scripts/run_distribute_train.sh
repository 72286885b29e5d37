#!/usr/bin/env bash
# Trains on DEVICE_NUM devices in the background, each rank in device0, device1, ... The rank table is RANK_TABLE_FILE,
# else rank_table_DEVICE_NUMpcs.json in the current folder where there is one.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 2 2 "sh run_distribute_train.sh [DATA_PATH] [DEVICE_NUM]"
data=$(folder DATA_PATH "${ARGUMENTS[0]}")
ranks=${ARGUMENTS[1]}
table=()
if [ -n "${RANK_TABLE_FILE:-}" ]; then
    table=(--rank_table "$(table RANK_TABLE_FILE "$RANK_TABLE_FILE")")
elif [ -f "rank_table_${ranks}pcs.json" ]; then
    table=(--rank_table "$(absolute "rank_table_${ranks}pcs.json")")
fi
STARTED="training in the background."
launch glore_res50 train --ranks "$ranks" ${table[@]+"${table[@]}"} --rank_folder 'device{rank}' \
    --log_name 'train{rank}.log' --env_name 'env{rank}.log' -- --data_dir "$data"

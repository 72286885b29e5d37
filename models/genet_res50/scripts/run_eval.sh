#!/usr/bin/env bash
# Evaluates a checkpoint on one device in the background, in eval. A device word before the arguments is ignored.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
case ${ARGUMENTS[0]:-} in
Ascend | GPU | CPU) ARGUMENTS=("${ARGUMENTS[@]:1}") ;;
esac
want 5 5 "bash run_eval.sh [DATASET_PATH] [CHECKPOINT_PATH] [MLP] [EXTRA] [DEVICE_ID]"
data=$(folder DATASET_PATH "${ARGUMENTS[0]}")
checkpoint=$(file CHECKPOINT_PATH "${ARGUMENTS[1]}")
launch genet_res50 eval --devices "${ARGUMENTS[4]}" --rank_folder eval \
    -- --data_dir "$data" --checkpoint "$checkpoint" --mlp "${ARGUMENTS[2]}" --extra "${ARGUMENTS[3]}"

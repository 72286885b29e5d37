#!/usr/bin/env bash
# Evaluates a checkpoint on one device in the background; the log is ./eval_log.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # started with sh
# shellcheck source=../../../scripts/launchers.sh
source "$(dirname "$(readlink -f "$0")")/../../../scripts/launchers.sh"

take "$@"
want 2 2 "bash scripts/run_eval.sh [DATASET_PATH] [CHECKPOINT_PATH]"
DOT=.
data=$(folder DATA_PATH "${ARGUMENTS[0]}")
checkpoint=$(file CKPT_PATH "${ARGUMENTS[1]}")
launch hrnet_w48 eval --rank_folder . --log_name eval_log --env_name '' \
    -- --data_path "$data" --checkpoint_path "$checkpoint"

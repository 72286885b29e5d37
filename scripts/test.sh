#!/usr/bin/env bash
# bash scripts/test.sh [--full | --demos]: lint, format, types, tests. --full adds what is slow: a short demo, the wheel, two
# ranks, the commands of the documents, pages in a browser, and tests on the lowest MindSpore of the supported range.
# --demos runs the demo of every network, and the self-test of all of them, instead.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

full='' demos=''
case "${1:-}" in
"") ;;
--full) full=yes ;;
--demos) demos=yes ;;
*) fail "unknown argument $1; usage: bash scripts/test.sh [--full | --demos]" ;;
esac

use_environment core dev
cd "$ROOT"

if [ -n "$demos" ]; then
    say "the demo of every network, and the self-test of all of them"
    exec "$PYTHON" -m pytest -q -m demo --durations 0
fi

lowest=$ROOT/.venv-lowest
prepare_lowest() {
    make_environment "$lowest" python3.10
    "$lowest/bin/python" -c 'import mindspore' >/dev/null 2>&1 && return
    local wanted
    mapfile -t wanted < <("$PYTHON" scripts/requirements.py --list core dev)
    install_into "$lowest" "mindspore==2.8.0" "${wanted[@]}"
}

prepare() {
    prepare_browser
    prepare_lowest
}

made=$(mktemp -d) preparing='' phase='' began=0 times=()
# What native operators and graphs one run of pytest makes, the others take; see tests/conftest.py.
export MINDZOO_TEST_CACHE=$made/cache
phase() { # WHAT: it begins now
    end_phase
    phase=$1 began=$SECONDS
    say "$phase"
}
end_phase() {
    [ -z "$phase" ] || times+=("$(printf '%5d s  %s' $((SECONDS - began)) "$phase")")
}
clean_up() {
    end_phase
    say "how long each part took"
    printf '%s\n' "${times[@]}"
    [ -z "$preparing" ] || kill -- "-$preparing" 2>/dev/null || true
    rm -rf "$made"
}
trap clean_up EXIT
if [ -n "$full" ]; then
    # Mostly downloads, while one processor checks types. It gets a process group, so that it can be ended with what it started.
    set -m
    prepare >"$made/prepared.log" 2>&1 &
    preparing=$!
    set +m
fi

phase "ruff: lint and format"
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .

phase "shellcheck: shell scripts"
"$(dirname "$(command -v "$PYTHON")")/shellcheck" -x -P SCRIPTDIR scripts/*.sh models/*/scripts/*.sh .ci/run

phase "mypy: types"
# The root is the package, so the type checker sees it through a link of that name.
ln -s "$ROOT" "$made/mindzoo"
(cd "$made" && "$PYTHON" -m mypy --config-file mindzoo/pyproject.toml --cache-dir "$ROOT/.mypy_cache" -p mindzoo)

phase "tests"
"$PYTHON" -m pytest -q -n auto --maxprocesses 4 -m "not slow and not demo" --durations 10
[ -n "$full" ] || exit 0

phase "tests on the lowest supported MindSpore, and the lowest Python that is here, in $lowest"
status=0
wait "$preparing" || status=$?
preparing=''
cat "$made/prepared.log"
[ "$status" = 0 ] || exit "$status"
# What differs between versions of MindSpore: graphs and kernels, files, the data pipeline, export, signals, and what Python
# itself says.
touched=(
    tests/test_runtime.py tests/test_environment.py tests/test_cli.py
    tests/checkpoints/test_checkpoint_file.py tests/checkpoints/test_ckpt_file.py tests/config tests/data tests/learning
    tests/models/test_models.py tests/models/test_foreign_checkpoints.py tests/models/test_densenet121.py
    tests/training tests/inference/test_export_checkpoint.py tests/inference/test_evaluate_checkpoints.py tests/engine
)
"$lowest/bin/python" -m pytest -q -n auto --maxprocesses 4 -m "not slow and not demo" --durations 10 "${touched[@]}"

phase "damaged files of every kind that is read, for 20 seconds"
"$PYTHON" tests/fuzz --seconds 20 --workers 2

phase "slow tests, those of the commands in the documents among them"
# Three on two cores: many of them wait for ranks. One by one, so that what takes minutes comes first in each process.
"$PYTHON" -m pytest -q -n 3 --maxschedchunk 1 -m slow --durations 0

#!/usr/bin/env bash
# bash scripts/demo.sh [NETWORK]: train a network on handwritten digits on this machine's CPU, evaluate, export and
# verify it, classify a few images. Everything it makes is in .venv/ and demo/; what is there already is used again.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

use_environment core onnx demo
exec "$PYTHON" "$ROOT/scripts/demo.py" "$@"

#!/usr/bin/env bash
# Each defect's test in a clean checkout: fails as it is, passes with the patch.
#
#     bash tools/speechbrain/defects/check.sh CHECKOUT
#
# CHECKOUT is a git clone of SpeechBrain; it is copied and left alone. PYTHON is an
# environment with this project (make setup). Exit status: 1 if a verdict is wrong.
#
# Authors: The MLKD team 2026
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "${1:?CHECKOUT, a clone of SpeechBrain}" && pwd)
PYTHON=$(realpath -s "${PYTHON:-$here/../../../.venv/bin/python}")
export PATH="$(dirname "$PYTHON"):$PATH" HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# verdict NAME WANTED COMMAND...: WANTED is passes or fails
verdict() {
    local name=$1 wanted=$2 log=$work/log found=passes
    shift 2
    PYTHONPATH=$PWD "$@" >"$log" 2>&1 || found=fails
    # a test that cannot be collected shows nothing
    [ $found = fails ] && [ "$wanted" = fails ] &&
        { grep -qE '^[0-9]+ failed' "$log" || found=breaks; }
    local counts
    counts=$(grep -oE '[0-9]+ (failed|passed|error)[^ ]*' "$log" | tr '\n' ' ')
    counts=${counts% } counts=${counts%,}
    printf '  %-27s %s%s\n' "$name" $found "${counts:+: $counts}"
    [ $found = "$wanted" ] && return
    tail -n 15 "$log" | sed "s|$work|.|g; s/^/    /"
    failed=1
}

tests() {
    python -m pytest -q -p no:cacheprovider "$@"
}

# clone NAME TEST: a fresh tree with the patch's test, without its fix
clone() {
    git clone --quiet "$checkout" "$work/$1"
    cd "$work/$1" || exit 1
    git apply --include="$2" "$here/$1.patch" || exit 1
}

# style: SpeechBrain's own checks of every file that the patch touches
style() {
    git add --all
    local changed
    changed=$(git diff --cached --name-only)
    verdict "ruff format" passes ruff format --check $changed
    verdict "ruff check" passes ruff check $changed
    verdict "codespell" passes \
        codespell --ignore-words=.dict-speechbrain.txt $changed
}

# SpeechBrain demands docstrings of the library, not of recipes and unit tests
docstrings() {
    verdict "docstrings" passes python -c "import sys
from tests.utils.check_docstrings import check_docstrings
sys.exit(not check_docstrings('.', ['$1/']))"
}

# SpeechBrain's own run of its IEMOCAP recipe with the lobe, a random encoder of
# the same width in the place of wav2vec2-base
recipe() {
    local yaml=recipes/IEMOCAP/emotion_recognition/hparams/train_with_wav2vec2.yaml
    mkdir -p tests/tmp
    sed 's/hidden_size=32/hidden_size=768/' "$here/../hub.py" >"$work/hub.py"
    python "$work/hub.py" tests/tmp/wav2vec2_checkpoint 2>"$work/log"
    verdict "recipe with the lobe runs" passes python -c "import sys
from tests.utils.recipe_tests import run_recipe_tests
sys.exit(not run_recipe_tests(filters_fields=['Hparam_file'],
    filters=['$yaml'], do_checks=True, run_opts='--device=cpu'))"
}

# check NAME TEST NEIGHBOUR...
check() {
    local name=$1 test=$2
    shift 2
    echo "$name"
    clone "$name" "$test"
    verdict "test without the fix" fails tests "$test"
    git apply --exclude="$test" "$here/$name.patch" || exit 1
    verdict "test with the fix" passes tests "$test"
    verdict "neighbours" passes tests "$@"
    style
}

lobes=speechbrain/integrations/huggingface
echo "SpeechBrain $(git -C "$checkout" rev-parse --short=9 HEAD)"
check iemocap_speaker tests/unittests/test_iemocap_prepare.py \
    tests/unittests/test_data_io.py tests/consistency/test_recipe.py
check wav2vec2_batch speechbrain/integrations/tests/test_wav2vec2.py \
    tests/unittests/test_length_mask.py tests/unittests/test_normalization.py \
    --doctest-modules "$lobes/huggingface.py::${lobes//\//.}.huggingface.layer_norm_valid"
docstrings $lobes
recipe
exit $failed

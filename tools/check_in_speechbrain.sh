#!/usr/bin/env bash
# What a pull request to SpeechBrain would add, in a clean checkout, through every
# gate that SpeechBrain has for a recipe.
#
#     bash tools/check_in_speechbrain.sh CHECKOUT [OUT]  # as in checked_in_speechbrain.txt
#
# CHECKOUT is a git clone of SpeechBrain; it is copied and left alone. PYTHON is an
# environment with this project (make setup). OUT holds the logs, a new folder of
# the temporary ones without it. Exit status: 1 if a gate fails.
#
# The library stays a package of its own, named in extra_requirements.txt: it is
# more than a recipe, and what SpeechBrain's core may not depend on (transformers,
# scikit-learn, pandas) it needs. The pull request is the recipe, its rows and
# their set-up scripts.
#
# Authors: The MLKD team 2026
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
checkout=$(cd "${1:?CHECKOUT, a clone of SpeechBrain}" && pwd)
out=${2:-$(mktemp -d)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
recipe=recipes/IEMOCAP/MLKD
tree=$(mktemp -d)/speechbrain
trap 'rm -rf "$(dirname "$tree")"' EXIT
PYTHON=$(realpath -s "${PYTHON:-$root/.venv/bin/python}")
export PATH="$(dirname "$PYTHON"):$PATH" OMP_WAIT_POLICY=PASSIVE
failed=0

# ############################## The pull request ##############################

git clone --quiet "$checkout" "$tree"
cd "$tree"
mkdir -p $recipe
# what only this project's own demo and study need does not go along
(
    cd "$root"
    git ls-files $recipe | grep -vE 'synthesise_|demo.sh|compare_weightings|checked_in_'
) | while read -r file; do
    mkdir -p "$(dirname "$file")"
    cp -L "$root/$file" "$file"
done
cat "$root/tools/speechbrain/rows.csv" >>tests/recipes/IEMOCAP.csv
cp -r "$root/tools/speechbrain/setup/." tests/recipes/setup/
git add --all
changed=$(git diff --cached --name-only)
python_files=$(grep '\.py$' <<<"$changed")
yaml_files=$(grep -E '\.ya?ml$' <<<"$changed")

# ############################## Gates #########################################

# a small encoder under the paper's name: no yaml needs a network to be loaded
export HF_HUB_OFFLINE=1
python "$root/tools/speechbrain/hub.py" $recipe/pretrained_models

# gate NAME COMMAND...: its output goes to a log, its verdict to the console
gate() {
    local name=$1 log=$out/${1// /_}.log
    shift
    local started=$SECONDS
    if PYTHONPATH=$tree "$@" >"$log" 2>&1; then
        printf '%-22s passed  %4d s\n' "$name" $((SECONDS - started))
    else
        printf '%-22s FAILED  %4d s\n' "$name" $((SECONDS - started))
        tail -n 5 "$log" | sed 's/^/    /'
        failed=1
    fi
}

# python_gate NAME CODE: CODE sets "passed"
python_gate() {
    gate "$1" python -c "import sys; $2; sys.exit(not passed)"
}

large_files() {
    ! xargs -I{} find {} -size +1024k <<<"$changed" | grep .
}

readme_links() {
    python "$root/tools/speechbrain/links.py" $recipe/README.md
}

rows="filters_fields=['Task'], filters=['Emotion_recognition_KD']"
echo "SpeechBrain $(git -C "$checkout" rev-parse --short=9 HEAD)," \
    "$(wc -l <<<"$changed") files changed"
gate "consistency" python -m pytest -q tests/consistency
gate "ruff format" ruff format --check $python_files
gate "ruff check" ruff check $python_files
gate "yamllint" yamllint --no-warnings $yaml_files
gate "codespell" codespell --ignore-words=.dict-speechbrain.txt $changed
gate "large files" large_files
gate "links of the README" readme_links
python_gate "docstrings" "from tests.utils.check_docstrings import \
check_docstrings as check; passed = check('.', ['$recipe/'])"
python_gate "modules in yaml" "from tests.utils.check_yaml import \
check_module_vars as check; passed = all([check('$recipe/hparams/' + y, \
'$recipe/' + s) for y, s in (('teacher.yaml', 'train_teacher.py'), \
('student.yaml', 'train_student.py'))])"
gate "doctests" python -m pytest -q --doctest-modules -p no:cacheprovider \
    $recipe
python_gate "yaml loads" "from tests.utils.recipe_tests import load_yaml_test; \
passed = load_yaml_test($rows)"
python_gate "recipes run" "from tests.utils.recipe_tests import \
run_recipe_tests; passed = run_recipe_tests($rows, do_checks=True, \
run_opts='--device=cpu')"
mkdir -p "$out/rows" && cp -r tests/tmp/IEMOCAP_row_* "$out/rows" 2>/dev/null
mkdir only && { head -n 1 tests/recipes/IEMOCAP.csv &&
    cat "$root/tools/speechbrain/rows.csv"; } >only/IEMOCAP.csv
gate "performance table" python tools/readme_builder.py --recipe_info_dir only \
    --output_file "$out/PERFORMANCE.md"
exit $failed

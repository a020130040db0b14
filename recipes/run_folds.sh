#!/usr/bin/env bash
# Three systems on some folds: teacher, student alone, student with teacher.
#
#   cd recipes/EmoDB/MLKD
#   bash ../../run_folds.sh "1 2 3" --wav2vec2_hub ENCODER --number_of_epochs 10
#
# The options go to every script. JOBS folds run at once (default 1), SYSTEMS names
# other systems. A run that was stopped goes on from its last checkpoint when the
# command is given again.
#
# Authors: The MLKD team 2026
set -euo pipefail

folds=$1
shift
export PYTHON=${PYTHON:-python}
export SYSTEMS=${SYSTEMS:-teacher student_unsupervised student}

run_fold() {
    set -euo pipefail
    local fold=$1
    shift
    local system
    for system in $SYSTEMS; do
        local script=train_student.py
        [ "$system" = teacher ] && script=train_teacher.py
        echo "fold $fold: training $system"
        "$PYTHON" $script "hparams/$system.yaml" --fold "$fold" "$@"
        echo "fold $fold: evaluating $system"
        "$PYTHON" evaluate.py "hparams/$system.yaml" --fold "$fold" "$@"
    done
}
export -f run_fold

printf '%s\n' $folds | xargs -P "${JOBS:-1}" -I{} \
    bash -c 'run_fold "$@"' run_fold {} "$@"

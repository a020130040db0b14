#!/usr/bin/env bash
# The whole path on a corpus that is synthesised here: nothing to download.
# Called by `make demo`; PYTHON is the interpreter to use.
#
# Authors: The MLKD team 2026
set -euo pipefail
PYTHON=${PYTHON:-python}
started=$SECONDS

"$PYTHON" synthesise_corpus.py data/embedded/corpus

# The embedded encoder is pretrained, and small: it learns faster than the paper's.
options=(
    --corpus synthetic
    --data_folder data/embedded/corpus/IEMOCAP
    --noise_folder data/embedded/corpus/noise
    --noise_types null
    --encoder_hub embedded
    --results_folder results/demo
    --allow_partial True
    --number_of_epochs 6
    --lr 0.0004
    --lr_warmup 0.2
    --num_workers 0
)
# The student without teacher trains beside the teacher, with one thread each.
"$PYTHON" run_folds.py hparams/study.yml --folds 1 --cpus_per_run 1 \
    --changed redo "${options[@]}"

echo
"$PYTHON" -m mlkd_brain report results/demo --brief
took=$((SECONDS - started))
cat <<END

That was a corpus of synthetic voices, noises that stand in for NOISEX-92, and an
encoder of 2.6 million parameters: it shows that everything runs, not how good
the method is. It took $((took / 60)) min $((took % 60)) s on $(nproc --all)
cores.

Files: $PWD/results/demo/<system>/1986/fold_1
       predictions.csv, noise_grid.csv, train_log.txt, protocol.json, console.log
Tables of each noise: mlkd report results/demo

With IEMOCAP and NOISEX-92, the paper's setting:
    cd recipes/IEMOCAP/MLKD
    python train_teacher.py hparams/teacher.yaml --data_folder DIR --noise_folder DIR
    python train_student.py hparams/student.yaml --data_folder DIR --noise_folder DIR
    python evaluate.py hparams/student.yaml --data_folder DIR --noise_folder DIR
END

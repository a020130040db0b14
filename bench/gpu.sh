#!/usr/bin/env bash
# bench.gpu on a machine that has a GPU, PyTorch and transformers, and no network.
#
#   bash bench/gpu.sh [SECONDS [OPTIONS]]
#
# gpu.json, gpu.md and gpu.log go to $OUT; OPTIONS are those of bench.gpu.
#
# What is missing there travels as wheels in .whl/ at the root of the checkout
# (which git ignores through .git/info/exclude). To fetch them, for Python 3.12 on
# x86-64:
#
#   echo /.whl/ >> .git/info/exclude
#   python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
#       --implementation cp --platform manylinux_2_28_x86_64 \
#       --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d .whl \
#       speechbrain==1.1.2 hyperpyyaml==1.2.3 ruamel.yaml==0.18.17 \
#       ruamel.yaml.clib==0.2.15 soundfile==0.14.0 cffi==2.1.1 pycparser==3.12 \
#       skops==0.13.0 prettytable==3.18.0 soxr==1.1.0 pydantic==2.14.3 \
#       pydantic_core==2.50.4 annotated_types==0.8.0 typing_inspection==0.4.5
#
# Authors: The MLKD team 2026
set -uo pipefail
cd "$(dirname "$0")/.."
site=$(mktemp -d)
if compgen -G ".whl/*.whl" > /dev/null; then
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir \
        --target "$site" .whl/*.whl || exit
fi
export PYTHONPATH=$PWD:$site PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=PASSIVE
# counts the cards without touching them: the parts are forked
export PYTORCH_NVML_BASED_CUDA_CHECK=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=0
ulimit -n "$(ulimit -Hn)"
exec python3 -m bench.gpu --seconds "${1:-240}" \
    --out "${OUT:-results}/gpu.json" "${@:2}"

# make setup   .venv with everything (or VENV=/path of an active environment)
# make demo    from nothing to the table of three systems, no data needed
# make demo-page   those three systems in the browser, after make demo
# make test    all tests
# make lint    SpeechBrain's format and style, floors, types, yaml, spelling
# make docs    pages from the docstrings: docs/api/html/index.html
# make readme  the committed reports and the documents' tables, from archives
# make bench   speed, as ratios in one run: bench/results.json
# make torture   what files, names and machines do to it: docs/what-it-survives.md
# make coverage   lines and branches that the tests run: docs/tests-measured.md
# make gpu-check   base size on a GPU, seven minutes at most: bench/gpu.json

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.PHONY: setup demo demo-page test lint docs readme bench torture coverage gpu-check

VENV ?= $(or $(VIRTUAL_ENV),$(CURDIR)/.venv)
override VENV := $(abspath $(VENV))
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.mlkd-installed
# two threads that wait for one another by spinning starve on a busy machine
export OMP_WAIT_POLICY := PASSIVE

setup: $(STAMP)

$(STAMP): requirements.txt requirements-extra.txt requirements-tested.txt pyproject.toml
	[ -x $(PYTHON) ] || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet -r requirements-extra.txt \
	    -c requirements-tested.txt
	touch $(STAMP)

test: setup
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n auto --maxprocesses 4 --durations 10

lint: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy --no-incremental mlkd_brain
	$(VENV)/bin/yamllint --no-warnings recipes .yamllint.yaml
	$(VENV)/bin/codespell

demo: setup
	cd recipes/IEMOCAP/MLKD
	PYTHON=$(PYTHON) bash demo.sh

demo-page: setup
	cd recipes/IEMOCAP/MLKD
	$(PYTHON) -m mlkd_brain demo results/demo

docs: setup
	rm -rf docs/api/modules docs/api/html
	$(PYTHON) -m sphinx --fail-on-warning --keep-going --quiet \
	    docs/api docs/api/html
	echo docs/api/html/index.html

readme: setup
	for study in report report_whisper report_embedded; do
	    folder=recipes/EmoDB/MLKD/results/$$study
	    $(PYTHON) -m mlkd_brain report $$folder/runs.tar.xz --out $$folder
	done
	$(PYTHON) -m docs.excerpts

bench: setup
	$(PYTHON) -m bench.noise
	OMP_NUM_THREADS=2 $(PYTHON) -m bench.runtimes
	OMP_NUM_THREADS=2 $(PYTHON) -m bench.training
	OMP_NUM_THREADS=2 $(PYTHON) -m bench.loss_curve
	OMP_NUM_THREADS=2 $(PYTHON) -m bench.grid
	$(PYTHON) -m bench.study
	$(PYTHON) -m docs.excerpts

torture: setup
	OMP_NUM_THREADS=1 TORTURE_FOLDER=docs/survived \
	    $(PYTHON) -m pytest -q tests/torture
	$(PYTHON) docs/survival.py

coverage: setup
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n auto --maxprocesses 4 \
	    --cov --cov-report=json:coverage.json
	$(PYTHON) -m tools.coverage coverage.json
	$(PYTHON) -m docs.excerpts

gpu-check: setup
	$(PYTHON) -m bench.gpu --seconds 420
	$(PYTHON) -m docs.excerpts

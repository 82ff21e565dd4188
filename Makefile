# make test   set-up, then the whole test suite
# make demo   set-up, then a pretraining on text that every Python carries
#
# Needs Python 3.10 to 3.12 (PYTHON=... names one) and g++.

SHELL := /bin/bash
IS_SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.10; do \
	$$python -c "$(IS_SUPPORTED)" 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
export TF_CPP_MIN_LOG_LEVEL ?= 2

# The CPU build is half the size, where there is one.
TENSORFLOW := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' '-')),\
	tensorflow-cpu,tensorflow)

.PHONY: setup test lint demo clean

setup: $(VENV)/ready

$(VENV)/ready: setup.cfg pyproject.toml constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.12 was found." \
		"Install one, or pass PYTHON=/path/to/python."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
		--editable ".[$(strip $(TENSORFLOW)),dev]"
	touch $@

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Every step says what it does; see recipes/demo.yaml for the settings.
demo: setup
	rm -rf $(DEMO)
	$(BIN)/python recipes/collect_python_docs.py \
		--output_file $(DEMO)/python_docs.txt
	$(BIN)/python recipes/prepare_corpus.py \
		--input $(DEMO)/python_docs.txt --output_dir $(DEMO)/corpus \
		--vocabulary_size 4000
	$(BIN)/python recipes/pretrain.py --config recipes/demo.yaml \
		--data_dir $(DEMO)/corpus --output_dir $(DEMO)/run
	$(BIN)/python recipes/fill_mask.py --pretrained $(DEMO)/run \
		--save_to $(DEMO)/model

clean:
	rm -rf $(VENV) $(DEMO) runs build dist *.egg-info

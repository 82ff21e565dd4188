# make test          sets up, checks style and types, runs the tests: 6 minutes
# make test-all      the same with the tests marked slow, as in CI
# make quick         sets up, checks style and types, runs the tests of one
#                    process that train few models: 90 seconds
# make check         sets up, checks style and types, in seconds
# make coverage      runs all tests and lists the lines they do not run
# make demo          sets up, pretrains on text that every Python contains
# make test-parity   sets up PyTorch and transformers, compares with them
# make test-image    runs the Python lines of docker/ in a copy of its environment
# make docs          builds the site in site/
# make audit         lists known vulnerabilities of the packages in .venv
# make mpi           installs Open MPI and sshd, for MPI and SageMaker's driver
# make browser       installs Chromium, for the test that opens the report
#
# Needs Python 3.10 to 3.12 (PYTHON=... names one) and g++.

SHELL := /bin/bash
IS_SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.10; do \
	$$python -c "$(IS_SUPPORTED)" 2>/dev/null && echo $$python && break; done)
VENV := .venv
PARITY_VENV := .venv-parity
BIN := $(VENV)/bin
DEMO := demo
export TF_CPP_MIN_LOG_LEVEL ?= 2

# The CPU build, which is half the size, exists for Linux on x86_64 only.
TENSORFLOW := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' '-')),\
	tensorflow-cpu,tensorflow)
# On a machine without a GPU, TORCH may name the file of a CPU build.
TORCH ?= torch==2.13.0
INSTALL = -m pip install --quiet --constraint constraints.txt

# Creates a virtual environment in the folder of the target. KerasHub is
# installed without its dependencies: tensorflow-text would install a second
# TensorFlow, and its sentencepiece crashes when loaded after TensorFlow.
define make_environment
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.12 was found." \
		"Install one, or pass PYTHON=/path/to/python."; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade pip
	$(@D)/bin/python $(INSTALL) --editable ".[$(strip $(TENSORFLOW)),dev]"
	$(@D)/bin/python $(INSTALL) --no-deps regex tokenizers \
		'keras-nlp; python_version >= "3.11"' \
		'keras-hub; python_version >= "3.11"'
endef
# Horovod is built from source against TensorFlow, which takes two minutes, and
# cached as a wheel. Gloo needs only g++; MPI is included if it is installed.
HOROVOD := horovod==0.28.1
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/albert_keras
MPI := $(if $(shell command -v mpicxx),MPI,)
HOROVOD_NAME = import sys, importlib.metadata as m; print("$(HOROVOD)$(MPI)-" \
	+ "py%d%d-tf" % sys.version_info[:2] + m.version("$(strip $(TENSORFLOW))"))
define install_horovod
	@set -e; bin="$(CURDIR)/$(@D)/bin"; \
	$$bin/python -m pip install --quiet "cmake<4" "setuptools<81" wheel \
		packaging cloudpickle psutil pyyaml; \
	mkdir -p "$(CACHE)"; wheels="$(CACHE)/$$($$bin/python -c '$(HOROVOD_NAME)')"; \
	if ! ls "$$wheels"/*.whl >/dev/null 2>&1; then \
		echo "Building $(HOROVOD) into $$wheels, once, for two minutes."; \
		PATH="$$bin:$$PATH" HOROVOD_WITH_TENSORFLOW=1 \
		HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1 \
		HOROVOD_WITH_GLOO=1 HOROVOD_WITH$(if $(MPI),,OUT)_MPI=1 \
		$$bin/python -m pip wheel --no-cache-dir --no-build-isolation \
			--no-deps --wheel-dir "$$wheels.tmp" $(HOROVOD) \
			>"$$wheels.log" 2>&1 || { cat "$$wheels.log"; exit 1; }; \
		mv "$$wheels.tmp" "$$wheels"; \
	fi; \
	$$bin/python -m pip install --quiet --no-deps --force-reinstall \
		"$$wheels"/*.whl
endef
CXX_FILES := $(wildcard albert_keras/kernels/tensorflow_cpu/csrc/*)
SETUP_FILES := setup.cfg pyproject.toml constraints.txt Makefile

.PHONY: setup check quick test test-all coverage test-parity test-image mpi browser docs audit lint demo clean

setup: $(VENV)/ready

$(VENV)/ready: $(SETUP_FILES)
	$(make_environment)
	$(install_horovod)
	touch $@

$(PARITY_VENV)/ready: $(SETUP_FILES)
	$(make_environment)
	$(@D)/bin/python $(INSTALL) "$(TORCH)" transformers
	touch $@

# The checks of .pre-commit-config.yaml, without git.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/vulture
	$(BIN)/mypy

# Workers get whole files, in the order of tests/conftest.py. setup.cfg says
# what the marks mean.
PYTEST := $(BIN)/python -m pytest \
	--numprocesses 2 --dist loadfile --no-loadscope-reorder

quick: check
	$(PYTEST) -m "not slow and not process and not heavy"

test test-all coverage: export ALBERT_KERAS_REQUIRE_HOROVOD := 1

test: check
	$(PYTEST)

test-all: check
	$(PYTEST) --slow

# Includes the processes that tests start.
coverage: setup
	$(PYTEST) --slow --cov --cov-report=term

test-parity: $(PARITY_VENV)/ready
	$(PARITY_VENV)/bin/python -m pytest --slow tests/parity tests/conversion

# The image has Python 3.12 and TensorFlow 2.17.
IMAGE_PYTHON ?= python3.12
test-image: setup
	ALBERT_KERAS_IMAGE_PYTHON="$(IMAGE_PYTHON)" $(BIN)/python -m pytest \
		--slow tests/launching/test_image_environment.py

# Debian's packages; a later build of Horovod includes MPI.
mpi:
	apt-get update --quiet
	apt-get install --yes --quiet --no-install-recommends \
		openmpi-bin libopenmpi-dev openssh-server iproute2

browser:
	apt-get update --quiet
	apt-get install --yes --quiet --no-install-recommends chromium

# Asks a service about known vulnerabilities, so it needs the network.
audit: setup
	$(BIN)/pip-audit --progress-spinner off --skip-editable

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Fixes the style.
lint: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

# Every step prints what it does; the settings are in recipes/demo.yaml.
demo: setup
	rm -rf $(DEMO)
	$(BIN)/python recipes/collect_python_docs.py \
		--output_file $(DEMO)/python_docs.txt \
		--labelled_file $(DEMO)/labelled.csv
	$(BIN)/python recipes/prepare_corpus.py \
		--input $(DEMO)/python_docs.txt --output_dir $(DEMO)/corpus \
		--vocabulary_size 4000
	$(BIN)/python recipes/pretrain.py --config recipes/demo.yaml \
		--data_dir $(DEMO)/corpus --output_dir $(DEMO)/run
	$(BIN)/python recipes/fill_mask.py --pretrained $(DEMO)/run \
		--save_to $(DEMO)/model
	$(BIN)/python recipes/report.py $(DEMO)/run
	$(BIN)/python benchmarks/transfer.py --texts $(DEMO)/labelled.csv \
		--pretrained $(DEMO)/run --labels_per_class 10 --seeds 1 \
		--updates 300 --rates 1e-3

clean:
	rm -rf $(VENV) $(PARITY_VENV) $(DEMO) runs site build dist *.egg-info

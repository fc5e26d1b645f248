# `make run` does the main job, `make test` runs the tests, `make docs` builds the site; all make .venv first where it is absent.
PYTHON ?= python3
BIN := .venv/bin
# Compiled modules are kept, whatever the environment says: the tests' workers and the programs that they start share them.
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-slow test-all lint bench docs

run: .venv/installed
	$(BIN)/parity run 's0-*'

test: .venv/installed
	$(BIN)/pytest -q -n auto --dist loadfile

test-all: .venv/extras
	$(BIN)/pytest -q -n auto -m 'slow or not slow'

test-slow: .venv/extras
	$(BIN)/pytest -q -n auto -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed
	$(BIN)/python -m benchmarks.speed

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[test,bench]'
	touch $@

# What the slow tests need besides.
.venv/extras: .venv/installed
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[cluster,frameworks,trainers]'
	touch $@

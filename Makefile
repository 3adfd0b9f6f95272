# Everything a contributor runs. Needs make and Python 3.11 or later with pip; each target sets up what it needs.

PYTHON ?= python3
SEEDS ?= 1000
LOCK_FLAGS ?=

BIN := .venv/bin
PIP = $(PYTHON) -m pip --python $(1)/bin/python --disable-pip-version-check --no-input -qq

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench simulate mutants man lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.project  ## make .venv: the locked dependencies and this project, editable

demo: .venv/.project  ## see it work: an update of sample rows against the built-in sandbox
	@$(BIN)/python samples/demo.py

test: .venv/.project  ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

check: .venv/.project  ## format, lint, types and import direction; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/.project  ## measure what is claimed of speed and memory
	@$(BIN)/python -m benchmarks

simulate: .venv/.project  ## run the simulator over many seeds: make simulate SEEDS=5000
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

mutants: .venv/.project  ## seed bugs one by one, and see the tests catch each
	@$(BIN)/python -m tests.mutants

man: .venv/.project  ## write docs/bulk-update.1 anew: the manual page, made of the parsers
	$(BIN)/bulk-update man > docs/bulk-update.1

lock:  ## make requirements/*.txt anew from pyproject.toml: LOCK_FLAGS=--upgrade for newer releases
	$(PYTHON) -m venv --clear --without-pip build/lock
	$(call PIP,build/lock) install uv
	$(call compile,core,--extra zst)
	$(call compile,dev,--extra zst --extra dev --constraints requirements/core.txt)

clean:  ## remove what is not in the repository's care: .venv, caches, build
	rm -rf .venv build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second `make` instant: one for the locked dependencies, one for the project.
.venv/.locked: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or later is needed: make PYTHON=python3.11 ...' >&2; exit 2; }
	$(PYTHON) -m venv --clear --without-pip .venv
	$(call PIP,.venv) install --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/.project: .venv/.locked pyproject.toml
	$(call PIP,.venv) install --no-deps --no-build-isolation --editable .
	@touch $@

# The build backend is locked as well: the project is then installed without fetching anything more.
define compile
$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	| build/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command 'make lock' $(LOCK_FLAGS) $(2) pyproject.toml - --output-file requirements/$(1).txt
endef

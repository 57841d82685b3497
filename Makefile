# Every target by its name; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help env demo test check format up screenshots clean

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

$(VENV)/.made: pyproject.toml client/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(f"linernotes needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Name another with: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]' --editable './client[scrapy]'
	@touch $@

env: $(VENV)/.made ## make the environment in .venv

demo: env ## run the whole fleet on real tracks against simulated upstreams, and sum up
	@$(BIN)/linernotes demo

test: env ## run every test
	@$(BIN)/python -m pytest -q -n 2

check: env ## format, lint, types, arrows, migrations in step with the models
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.migrations_in_step

format: env ## format the code and sort its imports
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

up: env ## run the fleet on this machine until Ctrl-C
	@$(BIN)/linernotes up

screenshots: env ## make the pictures of the console in docs/images, with the Chromium of this machine
	@$(BIN)/python -m tests.console.screenshots

clean: ## remove the environment and what tools left behind
	@rm -rf $(VENV) *.egg-info client/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

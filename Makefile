# Everything starts here. Python 3.11 or newer with venv and pip is all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q

.PHONY: help run test check format bench soak lock frequencies clean
.DEFAULT_GOAL := help

help:            ## what can be made
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: $(VENV)/run.stamp  ## a channel in the terminal, with sample papers: no account, no token
	@$(BIN)/paperboy chat

test: $(VENV)/dev.stamp  ## the tests
	$(BIN)/python -m pytest -q -n auto

check: $(VENV)/dev.stamp  ## format, lint, types, import contracts, tests with coverage
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n auto
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

format: $(VENV)/dev.stamp  ## lay the code out and repair what lint can repair
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

bench: $(VENV)/dev.stamp  ## measure speed and memory; DATA=FOLDER names the dumps
	$(BIN)/python -m tests.bench $(if $(DATA),--data $(DATA))

soak: $(VENV)/dev.stamp  ## the long forms of the kill and mutation tests
	$(BIN)/python -m tests.soak

lock: $(VENV)/dev.stamp  ## pin the dependencies anew, with hashes
	@for name in run:build dev:dev; do \
	  $(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --upgrade --group $${name#*:} -o requirements/$${name%:*}.txt; done

frequencies: $(VENV)/dev.stamp  ## compute the table of document frequencies; DUMP=FILE names the abstracts
	$(BIN)/python -m tests.bench.frequencies $(DUMP)

clean:           ## remove what was set up and computed here
	rm -rf $(VENV) .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* .import_linter_cache

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@$(if $(wildcard $(BIN)/python),,$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Paperboy needs Python 3.11 or newer")')
	@echo "Setting up in $(VENV) (once, about half a minute)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

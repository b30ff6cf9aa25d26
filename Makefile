# Gesso. Run `make` or `make help` for the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

MODERN := import sys; sys.exit(sys.version_info < (3, 11))
# The first of these that runs and is 3.11 or later; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(MODERN)' >/dev/null 2>&1 && echo $$p && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
FULL := .venv/.setup
DEMO := .venv/.demo
NODE := node_modules/.setup
CODE := $(wildcard client worker server tests tools bench examples)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

# --- environments ----------------------------------------------------------------------------

.PHONY: setup demo-env node
setup: $(FULL) ## Make .venv with everything a developer needs

demo-env: $(if $(wildcard $(FULL)),$(FULL),$(DEMO)) ## Make .venv with what the demo needs, if there is none

node: $(NODE)

$(FULL): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[all,dev]'
	@touch $@

$(DEMO): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[server,worker]'
	@touch $@

$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(MODERN)'; then \
		echo "Gesso needs Python 3.11 or later; found: $$($(or $(PYTHON),python3) --version 2>&1 || true)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	$(PYTHON) -m venv .venv

# Not `npm ci`: it refuses a lock without buf's binaries for other systems, and the lock was made where
# a registry did not have them all. This obeys the lock just the same, and never writes it.
$(NODE): package.json package-lock.json
	@command -v npm >/dev/null || { echo "The checks need Node.js and npm (buf and pyright)." >&2; exit 1; }
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

# --- running ---------------------------------------------------------------------------------

.PHONY: demo test test-long test-partitions fuzz chaos soak bench bench-scale bench-tracing
DIR ?=
demo: demo-env ## Run a real canvas on real input (DIR=folder counts the words of its files)
	@$(BIN)/python examples/wordcount/demo.py $(if $(DIR),"$(DIR)")

# Files of tests side by side, longest first as they stand: a test waits for processes more than it computes.
test: $(FULL) ## Run the unit, integration and acceptance tests, except the long ones (ARGS="-n 0": in one process)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(FULL) ## Run the long tests
	$(BIN)/python -m pytest -m long --ignore=tests/chaos --ignore=tests/fuzz $(ARGS)

fuzz: $(FULL) ## Send 100,000 damaged messages to every method (GESSO_FUZZ_SEED=number repeats a run)
	$(BIN)/python -m pytest -s -m long tests/fuzz $(ARGS)

chaos: $(FULL) ## Kill, freeze and cut off everything under load, with the leases that are shipped (20 min)
	$(BIN)/python -m pytest -s -m long tests/chaos/test_chaos.py tests/chaos/test_detection.py $(ARGS)

soak: $(FULL) ## Run under mixed load for GESSO_SOAK_MINUTES (30), and see that nothing grows
	$(BIN)/python -m pytest -s -m long tests/chaos/test_soak.py $(ARGS)

test-partitions: $(FULL) ## Run what touches several partitions with four of them
	GESSO_PARTITIONS=4 $(BIN)/python -m pytest tests/integration/rpc tests/acceptance/test_coordinator_death.py \
		tests/acceptance/test_store_death.py tests/acceptance/test_worker_death.py tests/acceptance/test_results.py \
		tests/acceptance/test_failures.py tests/acceptance/test_live_equals_reference.py $(ARGS)

QUICK ?=
bench: $(FULL) ## Measure Gesso, Celery and Dramatiq side by side (10 min; QUICK=1: under 3)
	$(BIN)/python -m bench.compare $(if $(QUICK),--quick) $(ARGS)

bench-scale: $(FULL) ## Measure Gesso with up to 1,000,000 members (20 min; QUICK=1: up to 10,000)
	$(BIN)/python -m bench.scale $(if $(QUICK),--quick) $(ARGS)

bench-tracing: $(FULL) ## Measure what tracing costs, off and at 1 % and 100 % (5 min; QUICK=1: under 2)
	$(BIN)/python -m bench.tracing $(if $(QUICK),--quick) $(ARGS)

# --- judging ---------------------------------------------------------------------------------

.PHONY: check check-format check-lint check-mypy check-pyright check-imports check-proto check-generated
check: check-format check-lint check-mypy check-pyright check-imports check-proto check-generated ## Check format, lint, types, imports, contract, generated code

check-format: $(FULL)
	$(BIN)/ruff format --check

check-lint: $(FULL)
	$(BIN)/ruff check

check-mypy: $(FULL)
	$(BIN)/mypy $(CODE)

check-pyright: $(FULL) $(NODE)
	node_modules/.bin/pyright --warnings

check-imports: $(FULL)
	$(BIN)/lint-imports

check-proto: $(NODE)
	node_modules/.bin/buf lint
	node_modules/.bin/buf format -d --exit-code

check-generated: $(FULL)
	$(BIN)/python tools/generate.py --check

# --- changing --------------------------------------------------------------------------------

.PHONY: format proto constraints clean
format: $(FULL) $(NODE) ## Format the code and the contract, and fix what ruff can fix
	$(BIN)/ruff check --fix-only --exit-zero
	$(BIN)/ruff format
	node_modules/.bin/buf format -w

proto: $(BIN)/python ## Regenerate client/gesso/v1 from proto/
	$(BIN)/python tools/generate.py

constraints: ## Pin the newest versions of everything anew (needs uv)
	uv pip compile --universal --python-version 3.11 --upgrade --no-header \
		--no-annotate --quiet --extra all --extra dev -o constraints.txt pyproject.toml

clean: ## Remove environments, caches and built files
	rm -rf .venv .venv-bench .venv-codegen .venv-codegen.lock node_modules build dist
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

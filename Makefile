.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
export MINDWEAVE_HOME ?= $(CURDIR)/.mindweave
# uv must take the Python that is here; it would fetch one otherwise
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := 1

# each has servers of its own, and waits for them often enough to have one more than cores
TEST_PROCESSES ?= 3

BIN := .venv/bin
SYNCED := .venv/.synced

.PHONY: help setup demo test lint lint-style lint-types lint-sql format build lock clean

help: ## Show these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(SYNCED) ## Make .venv from requirements.lock; does nothing when it is up to date
	@:

demo: $(SYNCED) ## Run the main job on the bundled demo workload and say where the site is
	@$(BIN)/python -m dlt_pipelines.demo.workload "$(MINDWEAVE_HOME)/demo"
	@$(BIN)/python -m dlt_pipelines.demo.vendors "$(MINDWEAVE_HOME)/demo" $(BIN)/mindweave run --customer demo

test: lint ## Run every check and test, as CI does
	@$(BIN)/pytest --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder

lint: $(SYNCED) ## Check style and types of Python and SQL
	@$(MAKE) --no-print-directory --jobs lint-style lint-types lint-sql

lint-style:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-types:
	@$(BIN)/mypy

# the dbt templater connects to a warehouse: a throw-away one, so that it never waits for a run
lint-sql:
	@mkdir -p target/lint
	@MINDWEAVE_HOME=target/lint MINDWEAVE_WAREHOUSE=target/lint/lint.duckdb DBT_TARGET_PATH=target/lint DBT_LOG_PATH=target/lint \
		$(BIN)/sqlfluff lint --disable-progress-bar models tests/dbt

format: $(SYNCED) ## Let ruff and sqlfluff repair what they can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --templater jinja models tests/dbt

build: $(SYNCED) ## Build and test the demo customer's models from what is loaded
	@$(BIN)/mindweave build --customer demo

lock: $(SYNCED) ## Compile requirements.lock again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet -o requirements.lock

clean: ## Remove what can be made again: .venv, caches, build output; never data
	@rm -rf .venv target logs reports/build reports/.evidence build *.egg-info \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis

# only uv comes by pip, and that by the hashes in the lock; uv does the rest
$(SYNCED): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "Python 3.11 or newer is needed and $(PYTHON) was not found: install it, or name yours with make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed and $(PYTHON) is $$("$(PYTHON)" -V 2>&1): name another with make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv"; "$(PYTHON)" -m venv .venv; }
	@test -x $(BIN)/uv || { awk '/^[^ ]/ {on = /^uv==/} on' requirements.lock > .venv/uv.txt \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt; }
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

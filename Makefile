# Everything is installed into .venv by the first command that needs it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
FAISS ?= cpu
export DAGSTER_HOME := $(CURDIR)/dagster_home
WORKERS ?= 2
# Each worker takes a file at a time, and those that take longest first. A third worker
# on two cores takes more time from the others than it saves.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# The linters run beside the tests, and their complaints come after.
LINT_BESIDE := $(MAKE) --no-print-directory lint >$(VENV)/lint.log 2>&1 & lint=$$!;
LINTED := tests=$$?; wait $$lint || { cat $(VENV)/lint.log; exit 1; }; exit $$tests
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# Containers often set it: each of the hundreds of processes that tests start would compile torch.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run check test test-all ui lint docs screenshots study results bench clean

run: $(VENV)/installed ## Pick the quickstart's rows, then run its study and print what it found
	$(BIN)/selection export first_pick "ot x 5pct_rows" --out picked
	$(BIN)/selection run quickstart

help: ## What each target does
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

check: $(VENV)/installed-for-tests ## Lint, type-check and run the fast tests: for every edit
	$(LINT_BESIDE) $(PYTEST) -m "not study and not slow"; $(LINTED)

test: $(VENV)/installed-for-tests ## The same with the tests that need a study; what CI runs
	$(LINT_BESIDE) $(PYTEST) -m "not slow"; $(LINTED)

test-all: $(VENV)/installed-for-tests ## The same with the slow tests, and docs/promises.md
	$(LINT_BESIDE) $(PYTEST) --figures=docs/promises.json; $(LINTED)
	$(BIN)/python docs/promises.py docs/promises.json

lint: $(VENV)/installed-for-tests ## Style, imports and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

docs: $(VENV)/installed-for-tests ## The documentation as a site in site/, without a network
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=$(CURDIR) $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html"

ui: $(VENV)/installed ## Open Dagster on http://127.0.0.1:3000, guarded
	$(BIN)/selection ui

screenshots: $(VENV)/installed-for-tests ## Take the README's pictures again, after `make run`
	$(BIN)/python docs/screenshots.py

study: $(VENV)/installed ## A small version of the real study; its part of docs/results.md
	$(BIN)/python benchmarks/study.py --quick

results: $(VENV)/installed ## The real study on all targets, for hours; its part of docs/results.md
	$(BIN)/python benchmarks/study.py --scale full --json benchmarks/results/study.json

bench: $(VENV)/installed ## Measure transport, embedding, growth and the ledger; about 30 minutes on idle cores
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[$(FAISS),bench]"
	for part in transport acceleration embedding scale sampling leaks ledger verdicts; do \
		$(BIN)/python benchmarks/$$part.py --json benchmarks/results/$$part.json || exit 1; \
	done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[$(FAISS)]"
	touch $@

# Compiling all that is installed takes longer than what little of it the tests import.
$(VENV)/installed-for-tests: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[$(FAISS),test,peers,dev,docs]"
	touch $(VENV)/installed $@

clean: ## Remove what runs wrote; sources and the environment stay
	rm -rf store site picked
	find dagster_home -mindepth 1 ! -name dagster.yaml -delete

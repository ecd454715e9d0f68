# Everything goes into .venv; no root, no Docker, no services needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
WORKERS ?= 2

.PHONY: mutation install up down test faults check bench lock messages clean

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "Rayon needs Python 3.11, 3.12 or 3.13; this is $$($(PYTHON) --version). Name another with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: install
	@$(BIN)/rayon up

down: install
	@$(BIN)/rayon down

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --ignore=tests/faults tests

faults: install
	$(BIN)/pytest tests/faults

bench: install
	$(BIN)/python -m tests.benchmarks

# Small faults in a copy of the source that the tests must notice; SAMPLE mutants drawn with SEED.
mutation: install
	$(BIN)/python -m tests.mutation --sample $(or $(SAMPLE),300) --seed $(or $(SEED),0)

lock:
	uv pip compile --quiet --generate-hashes --universal --no-annotate --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements.lock

# The message catalogues get what is new in the source, and lose what is gone from it.
messages: install
	$(BIN)/python -m pipeline.localisation.message_extraction

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two commands matter: `make demo` and `make test`. Each sets up all that it needs in .venv (Python 3.11+ and make are enough).
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check bench spark docs reference lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/.ready: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/setup-venv.sh

.venv/.%: requirements-%.lock .venv/.ready
	@sh scripts/setup-venv.sh $*

demo: .venv/.ready ## build the synthetic city, measure and publish it, and open its State of Safety review
	$(BIN)/safercities demo demo-city

test: .venv/.ready ## all tests
	$(BIN)/pytest -n auto $(ARGS)

check: .venv/.ready ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

spark: .venv/.spark ## Spark into .venv (434 MB; needs Java 17), for its tests and its benchmark

bench: .venv/.ready .venv/.bench ## side by side with the peers on the same data (ARGS="--small" for a quick look)
	$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.ready ## the documentation as a site in site/
	$(BIN)/zensical build --clean

reference: .venv/.ready ## rewrite the generated pages of docs/reference
	$(BIN)/python -m docs.make_reference

lock: .venv/.ready ## requirements*.lock anew from pyproject.toml: hashes, no addresses
	$(BIN)/python scripts/lock.py

clean: ## remove everything that make made
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache site dist demo-city demo-city-keys

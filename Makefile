# Two commands matter: `make demo` and `make test`. Each sets up all that it needs in .venv (Python 3.11+ and make are enough).
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check frontend frontend-check bench spark docs reference lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/.ready: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/setup-venv.sh

.venv/.%: requirements-%.lock .venv/.ready
	@sh scripts/setup-venv.sh $*

demo: .venv/.ready frontend ## build the synthetic city, measure, publish and review it, and open the hub on it (Ctrl-C ends)
	$(BIN)/safercities demo demo-city

test: .venv/.ready frontend ## all tests
	$(BIN)/pytest -n auto $(ARGS)

check: .venv/.ready frontend-check ## format, lint, types, layers, translations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/messages.py --check

messages: .venv/.ready ## gather the hub's texts for translation
	$(BIN)/python scripts/messages.py

BUILT := src/safercities/hub/static/hub/built/manifest.json
SCRIPTS := $(wildcard frontend/*.json frontend/*.ts frontend/src/*.ts frontend/src/*/*.ts frontend/src/css/*.css)
$(BUILT): $(SCRIPTS) scripts/build-frontend.sh | .venv/.ready
	@sh scripts/build-frontend.sh

frontend: $(BUILT) ## maps, charts and forms of the hub, built from frontend/ (anew only where its sources changed)

frontend-check: .venv/.ready ## types and style of frontend/
	@sh scripts/build-frontend.sh check

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
	rm -rf .venv frontend/node_modules src/safercities/hub/static/hub/built .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache site dist demo-city demo-city-keys demo-city-hub

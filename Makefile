# Everything that is done with this repository, one verb each. Needs Python >= 3.11 and make.

PYTHON ?= python3
VENV ?= .venv
HOST ?=
PORT ?=
BUNDLES ?=
BUNDLE ?= bundles/en-de
CONFIG ?= model/configs/en-de-small.toml
OUT ?=
IMAGE_TAG ?= latest
ARGS ?=

BIN := $(VENV)/bin
SERVE_FLAGS = $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) \
	$(if $(BUNDLES),--bundles $(BUNDLES))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
SOURCES := bundle service model export benchmarks tests
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
BENCHMARKS := $(VENV)/.benchmarks
RUNTIME_TESTS := $(VENV)-runtime/.ready
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(ARGS) pyproject.toml

# onnxruntime reports its use to its maker unless told not to before it is loaded.
export ORT_DISABLE_TELEMETRY = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test test-runtime check format train export bench bench-engine invariance docker lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

serve: $(RUNTIME) ## serve the embedded bundle (HOST= PORT= BUNDLES=)
	@exec $(BIN)/pellucid serve $(SERVE_FLAGS) $(ARGS)

test: $(DEVELOPMENT) ## run every test (ARGS="tests/bundle -k manifest")
	$(BIN)/python -m pytest $(ARGS)

test-runtime: $(RUNTIME_TESTS) ## run the tests of bundle and service where torch is not installed
	$(VENV)-runtime/bin/python -m pytest tests/bundle tests/service $(ARGS)

check: $(DEVELOPMENT) ## format, lint, types, import contracts, Dockerfile, compose file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/docker-compose --file docker/compose.yaml config --quiet

format: $(DEVELOPMENT) ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(DEVELOPMENT) ## train a model (CONFIG= DATA= OUT=)
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "say what and where: make train DATA=FOLDER OUT=FOLDER [CONFIG=TOML]" >&2; exit 2; }
	$(BIN)/pellucid train $(CONFIG) --data $(DATA) --out $(OUT) $(ARGS)

export: $(DEVELOPMENT) ## turn a checkpoint into a verified bundle (CHECKPOINT= DATA= OUT=)
	@test -n "$(CHECKPOINT)" -a -n "$(DATA)" -a -n "$(OUT)" || { echo "say what and where: make export CHECKPOINT=FILE DATA=FOLDER OUT=FOLDER" >&2; exit 2; }
	$(BIN)/pellucid export $(CHECKPOINT) $(OUT) --data $(DATA) $(ARGS)

bench: $(DEVELOPMENT) ## print the figures of the service on this machine
	$(BIN)/python -m benchmarks.load $(if $(BUNDLES),--bundles $(BUNDLES)) $(ARGS)

bench-engine: $(BENCHMARKS) ## compare the engine with others on the same weights (DATA= BUNDLE= CHECKPOINT=)
	@test -n "$(DATA)" || { echo "say with which sentences: make bench-engine DATA=FILE [BUNDLE=FOLDER] [CHECKPOINT=FILE] [ARGS=--help]" >&2; exit 2; }
	$(BIN)/python -m benchmarks.engine --dev $(DATA) --bundles $(BUNDLE) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(ARGS)

invariance: $(DEVELOPMENT) ## translate 1,000 texts alone, in batches and by many clients (DATA= BUNDLE=)
	@test -n "$(DATA)" || { echo "say with which sentences: make invariance DATA=FILE [BUNDLE=FOLDER]" >&2; exit 2; }
	$(BIN)/python -m tests.end_to_end.invariance $(DATA) --bundle $(BUNDLE) $(ARGS)

docker: ## build the image (IMAGE_TAG=)
	docker build --file docker/Dockerfile --tag pellucid:$(IMAGE_TAG) .

lock: | $(BIN)/python ## write the lock files anew from pyproject.toml (ARGS=--upgrade)
	$(PIP) install 'uv>=0.9.8'
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group build --group test --constraints requirements.lock \
		--output-file requirements-test.lock
	echo torch | $(LOCK) --group build --group test --group check --group browser --group bench --extra train \
		--excludes /dev/stdin --constraints requirements-test.lock \
		--output-file requirements-development.lock

clean: ## remove what make, the tests and the tools left behind
	rm -rf $(VENV) $(VENV)-runtime build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: say which to use with PYTHON=" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the runtime into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# torch comes by its bound in pyproject.toml, not by hash: which build fits depends on the machine.
$(DEVELOPMENT): requirements-development.lock $(RUNTIME)
	@echo "installing what training, tests and checks need into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-development.lock
	@$(PIP) install --no-build-isolation --editable '.[train]'
	@touch $@

# Not by hash: these packages serve no purpose but to be compared with.
$(BENCHMARKS): $(DEVELOPMENT)
	@echo "installing the engines to compare with into $(VENV)"
	@$(PIP) install --no-build-isolation --editable '.[train,benchmarks]'
	@touch $@

$(RUNTIME_TESTS): requirements.lock requirements-test.lock pyproject.toml
	@$(MAKE) --no-print-directory VENV=$(VENV)-runtime $(VENV)-runtime/.runtime
	@$(VENV)-runtime/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
		--require-hashes --requirement requirements-test.lock
	@touch $@

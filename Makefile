# Two commands set everything up: `make demo` to use coreg, `make test` to develop it.
#
# PYTHON           interpreter for the virtual environment (3.11 or newer)
# VENV             where the virtual environment goes
# TORCH_INDEX_URL  index to take torch from first, such as PyTorch's own one for CPU builds
# WORKERS          pytest processes

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX_URL ?=
WORKERS ?= auto

BIN := $(VENV)/bin
TORCH := $(shell sed -n 's/^ *"\(torch[^"]*\)",$$/\1/p' pyproject.toml)
# pytest runs several processes; more threads in each would only fight for the cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4

# Off-screen OpenGL and an X server without a screen, for pyvista and the viewer.
DEBIAN_PACKAGES := xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libdbus-1-3 libfontconfig1 \
	libglib2.0-0 libxrender1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 \
	libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 fonts-dejavu-core

.DELETE_ON_ERROR:
.PHONY: help demo install test test-slow lint format clean

help:
	@echo "make demo       install coreg into $(VENV) and run coreg demo"
	@echo "make test       install what the tests need and run tests, ruff, mypy and the import contracts"
	@echo "make test-slow  run the slow tests"
	@echo "make lint       run ruff, mypy and the import contracts only"
	@echo "make format     let ruff rewrite the code"
	@echo "make clean      remove $(VENV), caches and demo-result"

demo: install
	$(BIN)/coreg demo

install: $(VENV)/.stamp-core

test: $(VENV)/.stamp-dev $(VENV)/.stamp-system
	$(PYTEST)
	$(MAKE) --no-print-directory lint

test-slow: $(VENV)/.stamp-dev $(VENV)/.stamp-system
	$(PYTEST) -m slow || [ $$? -eq 5 ] # 5: there is no slow test

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo-result build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "coreg needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-torch: $(VENV)/.stamp-venv
	@if [ -n "$(TORCH_INDEX_URL)" ]; then \
		echo "$(BIN)/python -m pip install --index-url $(TORCH_INDEX_URL) '$(TORCH)'"; \
		$(BIN)/python -m pip install --index-url "$(TORCH_INDEX_URL)" '$(TORCH)'; \
	fi
	@touch $@

$(VENV)/.stamp-core: pyproject.toml $(VENV)/.stamp-torch
	$(BIN)/python -m pip install --editable .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml $(VENV)/.stamp-torch
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@ $(VENV)/.stamp-core

$(VENV)/.stamp-system: Makefile $(VENV)/.stamp-venv
	@missing=""; \
	if command -v dpkg-query >/dev/null; then \
		for name in $(DEBIAN_PACKAGES); do \
			dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$name"; \
		done; \
	fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		if apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; then exit 0; fi; \
	fi; \
	echo "Tests that draw in three dimensions may fail without these packages; install them with:"; \
	echo "    apt-get install$$missing"
	@touch $@

# textlora's everyday commands. The first one makes .venv and installs what it needs;
# nothing is installed again until pyproject.toml or constraints.txt changes.
#
# Where the CPU build of torch is not on the package index that pip uses:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

# The first of python3.11 and python3 that is 3.11 or newer; or: make PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin

# Only this environment's Python and packages, at the versions of constraints.txt,
# for textlora's build as well.
unexport PYTHONPATH PYTHONHOME
# (A relative path: pip splits these variables at spaces.)
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help venv demo test fuzz check docs clean

help:
	@echo "make demo    train on the bundled reviews, offline, and show what was learnt"
	@echo "make test    run the quick tests      (more options: make test ARGS='-x -k data')"
	@echo "make fuzz    search for examples that break a property: other ones every time, ten times as many"
	@echo "make check   lint, format, types, the direction of imports"
	@echo "make docs    build the pages of docs/ into site/; a broken link is an error"
	@echo "make venv    make $(VENV) with every extra, for development"
	@echo "make clean   remove $(VENV), demo-run, site and the caches; your runs/ stay"

venv: $(VENV)/.installed-dev

demo: $(VENV)/.installed-bundled,explain
	$(BIN)/textlora demo

# One process a core, of one thread each: threads of several would wait for each other.
# Files in their order: by the number of tests, the longest of all (one test) would come last.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -q $(PARALLEL) -m "not slow" $(ARGS)

# What it finds is printed with the line that replays it.
fuzz: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest -q $(PARALLEL) -m "hypothesis and not slow" \
		--hypothesis-profile=fuzz $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# (The variable keeps an announcement about another program off the screen.)
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo-run site build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp a set of extras. dev holds test, and test holds what the demo needs: the
# larger install stamps the smaller ones, which then have nothing to do.
$(VENV)/.installed-bundled,explain: STAMPS := bundled,explain
$(VENV)/.installed-test: STAMPS := bundled,explain test
$(VENV)/.installed-dev: STAMPS := bundled,explain test dev

# -qq: errors are shown, and no warnings about an index that lacks some package.
# torch goes first and alone: an installed CPU build is kept by what comes after,
# and no CUDA packages are pulled.
$(VENV)/.installed-%: pyproject.toml constraints.txt $(VENV)/pyvenv.cfg
	@echo "Installing textlora[$*] into $(VENV), about 2 minutes the first time ..."
	@$(BIN)/python -m pip install -qq torch==2.13.0
	@$(BIN)/python -m pip install -qq --editable '.[$*]'
	@touch $(STAMPS:%=$(VENV)/.installed-%)

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { \
		echo "textlora needs Python 3.11 or newer; neither python3.11 nor python3 is one." >&2; \
		echo "Install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer. Name another: make PYTHON=... " >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)." >&2; \
		exit 1; }

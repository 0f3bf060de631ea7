# Every target sets itself up: the virtual environment .venv is made on first use and brought up to date whenever
# a pyproject.toml or the source of the compiled kernel has changed. Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What users install, and with what tests, linters and the generated docs need.
BASE := $(VENV)/base.stamp
STAMP := $(VENV)/installed.stamp
SOURCES := pyproject.toml clients/python/pyproject.toml encoder/native/entropy/mixing.c
PACKAGES := renderer encoder memory api migrations integrations
# One more process than processors: some tests wait for others.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(1 + (os.cpu_count() or 1))')
# Bytecode is written whatever the environment says: tests start processes by the hundred.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

COMMA := ,

.PHONY: demo test test-all test-js lint serve docs

demo: $(BASE)
	$(BIN)/foxing demo

test: $(STAMP)
	$(PYTEST) -m "not slow"

test-all: $(STAMP)
	$(PYTEST)

# Without node, or where its packages cannot be installed, it says so, and nothing has failed.
test-js: $(STAMP)
	@command -v npm >/dev/null || { echo "the tests of clients/typescript were not run: install Node 20 or newer, with npm"; exit 0; }; \
	cd clients/typescript && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent; } \
	|| { echo "the tests of clients/typescript were not run: its packages could not be installed; run npm ci there"; exit 0; }; \
	npm run --silent build && npm run --silent check && npm test --silent

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(STAMP)
	$(BIN)/python docs/generate.py

serve: $(BASE)
	$(BIN)/foxing serve

# $(call install,EXTRAS). Packages in a checkout are compiled as pip compiles others: where Python is told not to write
# bytecode, each command would do it again.
define install
	@command -v $(PYTHON) >/dev/null || { echo "foxing needs Python 3.11 or newer, and '$(PYTHON)' is not there; install it, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("foxing needs Python 3.11 or newer, and $(PYTHON) is %d.%d; name a newer one: make PYTHON=/path/to/python3" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv $(VENV)
	@echo 'installing foxing into $(VENV); the first time takes some minutes'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable clients/python --editable '.$(1)' & pip=$$!; passed=0; \
	while sleep 1; kill -0 $$pip 2>/dev/null; do \
		passed=$$((passed + 1)); [ $$((passed % 10)) -ne 0 ] || echo "installing, $$passed s"; \
	done; wait $$pip
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@
endef

$(BASE): $(SOURCES)
	$(call install,)

$(STAMP): $(SOURCES)
	$(call install,[dev$(COMMA)bench])
	@touch $(BASE)

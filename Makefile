# What a developer runs. Each target makes what it needs first; nothing is needed before `make run` and `make test` but
# Python 3.11 or newer with its venv module, and make.

PYTHON ?= python3
PORT ?= 8977
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -q -n logical --dist worksteal
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
METADATA := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-slow lint format docs pictures config bench clean

help:
	@echo "make run       serve sample events on http://127.0.0.1:$(PORT)"
	@echo "make test      check style, and run the tests that are not slow: a few minutes"
	@echo "make test-slow run the others, with faults and real services: about 15 minutes"
	@echo "make lint      check style alone"
	@echo "make format    put the style right"
	@echo "make docs      write the documentation to doc/build/html"
	@echo "make pictures  draw the pictures in it anew, of the sample events"
	@echo "make config    generate the sample configuration and policy in etc/panko"
	@echo "make bench     measure storage and API beside Panko 10.0: an hour; BENCH_ARGS=--help tells of less"
	@echo "make clean     remove what these have made"

run: var/panko.conf var/panko.sqlite
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/run_sample var/panko.conf $(PORT)

test: lint
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/test.stamp
	$(PYTEST) -m slow $(PYTEST_ARGS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/doc.stamp
	$(BIN)/sphinx-build -q -W --keep-going -b html doc/source doc/build/html
	@$(BIN)/python -m doc.plot_grafana doc/build/pictures > /dev/null
	@echo "The documentation is in doc/build/html/index.html."

# The committed pictures change with releases of matplotlib; drawing them elsewhere shows that the script works.
pictures: $(VENV)/doc.stamp
	$(BIN)/python -m doc.plot_grafana

config: $(VENV)/test.stamp
	$(BIN)/oslo-config-generator --config-file etc/panko/panko-config-generator.conf
	$(BIN)/oslopolicy-sample-generator --config-file etc/panko/panko-policy-generator.conf

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) var build dist doc/build .pytest_cache .ruff_cache .hypothesis .tox *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say which extras are installed; a change of the metadata installs them again.

$(BIN)/pip:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian, install python3-venv." >&2; exit 1; }

$(VENV)/run.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/test.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable ".[test,cli,collector,postgresql,mysql]"
	@touch $@

$(VENV)/doc.stamp: $(METADATA) | $(BIN)/pip
	$(PIP_INSTALL) --editable ".[doc]"
	@touch $@

var/panko.conf: | $(VENV)/run.stamp
	@mkdir -p var
	@printf '%s\n' "[database]" "connection = sqlite:///$(CURDIR)/var/panko.sqlite" > $@

# The database gets its name once the sample events are in it: an import that was interrupted begins again. So does one
# into the schema of other migrations; what is left of the journal of the old database would spoil the new one.
var/panko.sqlite: $(wildcard alembic/versions/*.py) | $(VENV)/run.stamp
	@mkdir -p var
	@rm -f $@.new*
	@OS_DATABASE__CONNECTION=sqlite:///$@.new $(BIN)/panko-dbsync
	@OS_DATABASE__CONNECTION=sqlite:///$@.new $(BIN)/panko-import --shift-to-now etc/panko/sample-events.jsonl
	@rm -f $@-wal $@-shm
	@mv $@.new $@

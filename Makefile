# The two commands of the README: `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
LANDING ?= data/landing
LAKEHOUSE ?= data/lakehouse
VENV := .venv
PY := $(VENV)/bin/python
# The tests on real files look for them here; without them they are skipped and say so.
ifneq ($(wildcard ../shared/data),)
export LISTENING_TEST_DATA ?= $(abspath ../shared/data)
endif

.PHONY: run report setup test test-browser test-many lint bench docs clean

run: setup
	@$(PY) run_pipeline.py run --landing "$(LANDING)" --lakehouse "$(LAKEHOUSE)" $(ARGS)

report: setup
	@$(PY) run_pipeline.py report --lakehouse "$(LAKEHOUSE)" $(ARGS)

setup:
	@$(PYTHON) scripts/setup.py || { status=$$?; command -v $(PYTHON) >/dev/null || \
	  echo "error: $(PYTHON) is not installed: install Python 3.10 to 3.13, or use make PYTHON=/path/to/python"; exit $$status; }

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

test: lint
	@$(PY) -m pytest

# The report in a real browser, without network.
test-browser: setup
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) -m pytest tests/browser

# A real listener beside many synthetic ones.
test-many: setup
	@$(PY) -m pytest tests/many

bench: setup
	@$(PY) bench/pipeline.py --landing "$(LANDING)" $(ARGS)

docs: setup
	@$(PY) scripts/build_docs.py

clean:
	rm -rf $(VENV) .jars .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The two commands of the README: `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
CLI := $(VENV)/bin/lakehouse
# Named folders must exist, so they are options only where they are set: make run LANDING=dir LAKEHOUSE=dir
IN := $(if $(LANDING),--landing "$(LANDING)")
AT := $(if $(LAKEHOUSE),--lakehouse "$(LAKEHOUSE)")
# The tests on real files look for them here; without them they are skipped and say so.
ifneq ($(wildcard ../shared/data),)
export LISTENING_TEST_DATA ?= $(abspath ../shared/data)
endif

.PHONY: run report bi bi-down screenshots setup lint lint-containers check-locks test test-end-to-end test-browser test-many test-spark test-bi test-docs \
  image-check bench docs digests mutants audit lock clean

run: setup
	@$(CLI) run $(IN) $(AT) $(ARGS)

report: setup
	@$(CLI) report $(AT) $(ARGS)

# Trino, Superset and Postgres over LAKEHOUSE, or over what the last run built.
bi: setup
	@$(CLI) bi check $(AT)
	@$(PYTHON) scripts/setup.py --bi
	@$(CLI) bi up $(AT)

bi-down: setup
	@$(CLI) bi down

# Pictures of the dashboards of the running stack, into docs/images.
screenshots: setup
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) scripts/screenshots.py

setup:
	@$(PYTHON) scripts/setup.py || { status=$$?; command -v $(PYTHON) >/dev/null || \
	  echo "error: $(PYTHON) is not installed; install Python 3.11 to 3.14, or use make PYTHON=/path/to/python"; exit $$status; }

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo --no-cache

# Two processes, each with an engine of its own. What takes minutes or more has targets of its own, below.
PARALLEL := -n 2 --dist loadfile -m "not spark"
test: lint
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

# The command line over landing folders: good, bad, hostile, interrupted; and the report.
test-end-to-end: setup
	@$(PY) -m pytest $(PARALLEL) tests/end_to_end tests/report $(ARGS)

# The report in a real browser, without network.
test-browser: setup
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) -m pytest tests/browser

# A real listener beside many synthetic ones.
test-many: setup
	@$(PY) -m pytest tests/many

# The real files: every table on local Spark beside the embedded engine, and beside DuckDB over the files; what else starts Spark.
test-spark: setup
	@$(PY) -m pytest -m spark tests/real tests/gold tests/end_to_end

# Every pinned package has a wheel for each Python and platform; asks the package index, installs nothing.
check-locks: setup
	@$(PY) scripts/check_locks.py

# Dockerfile and docker-compose.yml, by hadolint and by the parser of Docker Compose.
lint-containers: setup
	@$(PY) scripts/lint_containers.py

# The image built without a container engine, and the demo run in it; IMAGES="pipeline superset" builds both. Minutes, as root.
image-check: setup
	@$(PY) scripts/check_image.py $(IMAGES)

# Trino, Superset and Postgres, with a browser.
test-bi: setup
	@$(PYTHON) scripts/setup.py --bi
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) -m pytest tests/bi

# The documentation site as `make docs` builds it, and the example query of every table over the demo.
test-docs: setup
	@$(PY) -m pytest tests/docs_site $(ARGS)

# How much of the code the tests notice when it is changed; goes on where it stopped. tests/mutants/survivors.md judges the rest.
mutants: setup
	@$(PY) scripts/mutants.py $(ARGS)

bench: setup
	@$(PY) bench/pipeline.py --landing "$(or $(LANDING),data/landing)" $(ARGS)

# The documentation site in build/docs/html: warnings, dead links and requests to the network are errors.
docs: setup
	@$(PY) scripts/build_docs.py $(ARGS)

# What only these two targets need has an environment of its own.
TOOLS := .venv-tools
$(TOOLS)/bin/uv:
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 uv==0.13.9

# Known vulnerabilities in the pinned packages. Needs the network; a package that cannot be looked up is a failure.
LOCKS ?= requirements.lock scripts/hadolint/requirements.lock
audit: $(TOOLS)/bin/uv
	@for lock in $(LOCKS); do echo "$$lock"; $(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock || exit 1; done

# The newest versions that pyproject.toml allows, into the lock files; UPGRADE= keeps the present ones where possible.
UPGRADE ?= --upgrade
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal
lock: $(TOOLS)/bin/uv
	@$(COMPILE) $(UPGRADE) --extra build --extra dev --extra kaggle pyproject.toml -o requirements.lock
	@$(COMPILE) --extra build --extra kaggle -c requirements.lock pyproject.toml -o requirements-run.lock

# What the kernel makes of a fixed landing folder, recorded for its declared version; see tests/end_to_end/test_kernel_version.py.
digests: setup
	@$(PY) -m tests.end_to_end.kernel_digests

clean:
	rm -rf $(VENV) $(TOOLS) build .jars .bi .mypy_cache .ruff_cache .pytest_cache .hypothesis .built .mutmut mutants

# The two commands of the README: `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
CLI := $(VENV)/bin/lakehouse
# Named folders must exist, so the options are passed only if the variables are set: make run LANDING=dir LAKEHOUSE=dir
IN := $(if $(LANDING),--landing "$(LANDING)")
AT := $(if $(LAKEHOUSE),--lakehouse "$(LAKEHOUSE)")
# Tests on real files look for them here. Without the files, they are skipped and say so.
ifneq ($(wildcard ../shared/data),)
export LISTENING_TEST_DATA ?= $(abspath ../shared/data)
endif

.PHONY: run report serve bi bi-down screenshots setup lint lint-containers check-locks test test-cases test-end-to-end test-live test-kafka \
  test-browser test-many test-spark test-compose test-bi test-docs \
  image-check bench docs digests mutants audit lock clean

run: setup
	@$(CLI) run $(IN) $(AT) $(ARGS)

report: setup
	@$(CLI) report $(AT) $(ARGS)

# The web service at http://127.0.0.1:8090, with a link to log in; not where standard output may be a log.
serve: setup
	@test ! -t 1 || $(CLI) link
	@$(CLI) serve $(IN) $(AT) $(ARGS)

# Trino, Superset and Postgres for LAKEHOUSE, or for what the last run built.
bi: setup
	@$(CLI) bi check $(AT)
	@$(PYTHON) scripts/setup.py --bi
	@$(CLI) bi up $(AT)

bi-down: setup
	@$(CLI) bi down

# Screenshots of the running stack's dashboards, into docs/images.
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

# Two processes, each with its own engine. Tests that take minutes have their own targets, below.
PARALLEL := -n 2 --dist loadfile -m "not spark"
test: lint
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

# Small histories made after public bug reports, through the command line.
test-cases: setup
	@$(PY) -m pytest $(PARALLEL) tests/cases $(ARGS)

# The command line on good, bad, hostile and interrupted landing folders; the report.
test-end-to-end: setup
	@$(PY) -m pytest $(PARALLEL) tests/end_to_end tests/report $(ARGS)

# Live sources: the real clients and commands against a server that speaks the three APIs and has seeded faults.
test-live: setup
	@$(PY) -m pytest $(PARALLEL) tests/live $(ARGS)

# `lakehouse stream` against a real Kafka broker: kills, topics that change, logging in. Needs Java and Maven.
test-kafka: setup
	@$(PYTHON) scripts/setup.py --kafka
	@$(PY) -m pytest tests/kafka $(ARGS)

# The report in a real browser, without network.
test-browser: setup
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) -m pytest tests/browser

# A real listener alongside many synthetic ones.
test-many: setup
	@$(PY) -m pytest tests/many

# The real files: every table on local Spark, compared with the embedded engine and DuckDB; other tests that start Spark.
test-spark: setup
	@$(PY) -m pytest -m spark tests/real tests/gold tests/end_to_end tests/live/test_maintain.py tests/live/test_private_files.py

# Checks that every pinned package has a wheel for each Python and platform. Asks the package index; installs nothing.
check-locks: setup
	@$(PY) scripts/check_locks.py

# Dockerfile and docker-compose.yml, checked by hadolint and by Docker Compose's parser.
lint-containers: setup
	@$(PY) scripts/lint_containers.py

# Builds the image without a container engine and runs the demo in it; needs root. IMAGES="pipeline superset" builds both.
image-check: setup
	@$(PY) scripts/check_image.py $(IMAGES)

# docker-compose.yml on a real container engine: the one that runs here, else as root one that is started for it. Not in .ci/run.
test-compose: setup
	@$(PY) -m pytest -s tests/compose $(ARGS)

# Trino, Superset and Postgres, with a browser.
test-bi: setup
	@$(PYTHON) scripts/setup.py --bi
	@$(PYTHON) scripts/setup.py --browser
	@$(PY) -m pytest tests/bi

# The documentation site as `make docs` builds it, and the example query of every table over the demo.
test-docs: setup
	@$(PY) -m pytest tests/docs_site $(ARGS)

# Mutation testing: how many code changes the tests notice. Resumes where it stopped. Survivors: tests/mutants/survivors.md.
mutants: setup
	@$(PY) scripts/mutants.py $(ARGS)

bench: setup
	@$(PY) bench/pipeline.py --landing "$(or $(LANDING),data/landing)" $(ARGS)

# The documentation site in build/docs/html: warnings, dead links and requests to the network are errors.
docs: setup
	@$(PY) scripts/build_docs.py $(ARGS)

# The tools that only these two targets need have their own environment.
TOOLS := .venv-tools
$(TOOLS)/bin/uv:
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 uv==0.13.9

# Known vulnerabilities in the pinned packages. Needs the network; a package that cannot be looked up is a failure.
LOCKS ?= requirements.lock scripts/hadolint/requirements.lock
audit: $(TOOLS)/bin/uv
	@for lock in $(LOCKS); do echo "$$lock"; $(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip -r $$lock || exit 1; done

# Writes the newest versions that pyproject.toml allows into the lock files. UPGRADE= keeps the current ones where possible.
UPGRADE ?= --upgrade
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --universal
lock: $(TOOLS)/bin/uv
	@$(COMPILE) $(UPGRADE) --extra build --extra dev --extra kaggle --extra kafka pyproject.toml -o requirements.lock
	@$(COMPILE) --extra build --extra kaggle --extra kafka -c requirements.lock pyproject.toml -o requirements-run.lock

# Records what the kernel builds from a fixed landing folder at its declared version; see tests/end_to_end/test_kernel_version.py.
digests: setup
	@$(PY) -m tests.end_to_end.kernel_digests

clean:
	rm -rf $(VENV) $(TOOLS) build .jars .kafka .bi .mypy_cache .ruff_cache .pytest_cache .hypothesis .built .mutmut mutants

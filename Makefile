# Each target is a line or two around `anime-pipeline`; everything it needs is made on the way.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/anime-pipeline
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo dev metrics test chaos lint clean

demo: $(VENV)/.installed
	$(RUN) demo

dev: $(VENV)/.installed
	$(RUN) dev

# What the learned metrics need; their weights come by `anime-pipeline models fetch`.
metrics: $(VENV)/.installed
	$(PIP) -e '.[metrics]'

test: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

# 500 renders while servers, workers and the database are killed; the tests run a shorter one.
chaos: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m anime_pipeline_tests.chaos

lint: $(VENV)/.installed-for-tests
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) var

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || (echo 'Python 3.10 to 3.13 is needed: make PYTHON=python3.12 …'; exit 1)
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

# The tests compare the learned metrics with their reference packages, so these (some GB) are installed too.
$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(PIP) -e '.[dev,metrics,references]'
	touch $@

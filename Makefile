# Each target is a line or two around `anime-pipeline`; everything it needs is made on the way.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/anime-pipeline

.PHONY: demo dev test lint clean

demo: $(STAMP)
	$(RUN) demo

dev: $(STAMP)
	$(RUN) dev

test: $(STAMP)
	$(VENV)/bin/python -m pytest

lint: $(STAMP)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) var

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("anime-pipeline needs Python 3.10 to 3.13, this is " + sys.version.split()[0] if not (3, 10) <= sys.version_info[:2] <= (3, 13) else 0)'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $(STAMP)

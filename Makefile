# Two commands do all the set-up: `make table` and `make test`. Python 3.11 or later is needed; PYTHON=... chooses one.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: table test test-all check clean

table: $(VENV)/installed  ## Regenerate the benchmark table on the embedded digits: every method, six fractions, ten seeds.
	$(BIN)/drd-plugin bench main

test: $(VENV)/tested check  ## Run the checks and the tests.
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not long" --numprocesses auto --maxprocesses 4 --dist loadfile

test-all: test  ## Run also what is long by nature: the README's commands, the notebooks, the browser.
	OMP_NUM_THREADS=1 $(BIN)/pytest -m long --numprocesses auto --maxprocesses 4 --dist loadfile

check: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info

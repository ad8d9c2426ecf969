# Two commands: `make demo` trains LeNet-5 on real digits, `make test` runs the tests. Each sets up .venv when needed.
# `make test-browser` tests the explorer's page in Chromium, which it installs when root asks on Debian.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-browser conformance lint bench docs clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	$(BIN)/python examples/lenet.py

test: .venv/.dev
	$(BIN)/python -m pytest -q -n 2

test-browser: .venv/.browser
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest -q tests/browser

# PyTorch's own samples of operators and modules, run against minigrad; OPINFO is the bench, ARGS are passed to it.
OPINFO ?= ../shared/conformance/torch_opinfo.py
conformance: .venv/.dev
	$(BIN)/python $(OPINFO) --lib minigrad $(ARGS)
	$(BIN)/python $(OPINFO) --lib minigrad --double $(ARGS)
	$(BIN)/python $(OPINFO) --lib minigrad --kind errors $(ARGS)
	$(BIN)/python $(OPINFO) --lib minigrad --kind modules $(ARGS)
	for layout in noncontig negstride bigendian readonly fortran; do \
		$(BIN)/python $(OPINFO) --lib minigrad --layout $$layout $(ARGS) || exit 1; done
	for values in ties huge nan; do \
		$(BIN)/python $(OPINFO) --lib minigrad --values $$values $(ARGS) || exit 1; done

lint: .venv/.dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

# The site, in build/docs: warnings are errors, links lead somewhere, and every example in it runs.
docs: .venv/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	$(BIN)/python docs/check_links.py build/docs
	$(BIN)/python -m pytest -q tests/test_docs.py tests/test_docs_site.py tests/test_doctests.py

bench: .venv/.dev
	$(BIN)/python -m benchmarks

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "minigrad needs Python 3.11 or newer; try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "could not make .venv: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }

.venv/.demo: pyproject.toml | .venv/bin/python
	@echo "installing minigrad and what the examples need into .venv"
	@$(PIP) -e ".[examples]"
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	@echo "installing minigrad and what tests and benchmarks need into .venv (PyTorch, their oracle, is large)"
	@$(PIP) -e ".[examples,dev,oracle]"
	@touch $@ .venv/.demo

.venv/.docs: pyproject.toml | .venv/bin/python
	@echo "installing minigrad and what its documentation needs into .venv"
	@$(PIP) -e ".[docs]"
	@touch $@

.venv/.browser: pyproject.toml | .venv/.dev
	@$(PIP) -e ".[browser]"
	@touch $@

clean:
	rm -rf .venv runs build dist docs/api *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

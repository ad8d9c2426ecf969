# Two commands: `make demo` trains LeNet-5 on real digits, `make test` runs the tests. Each sets up .venv when needed.
# `make test-browser` tests the explorer's page in Chromium, which it installs when root asks on Debian.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-browser test-cuda-compile test-cuda cuda-report conformance lint bench bench-cuda docs clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	$(BIN)/python examples/lenet.py

# The tests: two processes, each with half of them in order, of which the first to end takes from the other.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist worksteal
test: .venv/.dev
	$(PYTEST)

test-browser: .venv/.browser
	$(BIN)/python tests/browser/chromium.py
	$(PYTEST) tests/browser

# Compiles the CUDA kernels without a GPU and inspects the machine code; then some of them run, translated for the host.
test-cuda-compile: .venv/.cuda-test
	$(PYTEST) tests/cuda/test_compile.py tests/cuda/test_emulated.py

# On a machine with a GPU: the tests of the kernels and the suite on it, the sanitizer, under ten minutes.
test-cuda: .venv/.cuda
	$(BIN)/python -m benchmarks.device_report runs/cuda --only machine,kernels,suite,memcheck,racecheck

# The same and the measurements, in one report, with the Python at hand and nothing installed.
cuda-report:
	$(PYTHON) -m benchmarks.device_report runs/cuda

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

# On a machine with a GPU: the CUDA kernels against PyTorch with cuDNN.
bench-cuda: .venv/.cuda
	$(BIN)/python -m benchmarks.bench_cuda

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

.venv/.cuda-test: .venv/.dev
	@echo "installing Numba's CUDA target and NVIDIA's assembler into .venv"
	@$(PIP) -e ".[cuda-test]"
	@touch $@

.venv/.cuda: .venv/.dev
	@echo "installing CuPy and Numba's CUDA target into .venv"
	@$(PIP) -e ".[cuda]"
	@touch $@

clean:
	rm -rf .venv runs build dist docs/api *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Two commands: `make demo` trains LeNet-5 on real digits, `make test` runs the tests. Each sets up .venv when needed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-cuda-compile test-cuda conformance lint bench bench-cuda clean
.DELETE_ON_ERROR:

demo: .venv/.demo
	$(BIN)/python examples/lenet.py

test: .venv/.dev
	$(BIN)/python -m pytest -q -n 2

# Compiles the CUDA kernels without a GPU and inspects the machine code.
test-cuda-compile: .venv/.cuda-test
	$(BIN)/python -m pytest -q -n 2 tests/cuda/test_compile.py

# On a machine with a GPU: the tests of the kernels and of tensors on it, under ten minutes.
test-cuda: .venv/.cuda
	MINIGRAD_CUDA_DEVICE=1 $(BIN)/python -m pytest -q tests/cuda
	MINIGRAD_CUDA_DEVICE=1 $(BIN)/python -m pytest -q --device cuda tests/ops/test_gradients.py
	if command -v compute-sanitizer >/dev/null; then for tool in memcheck racecheck; do \
		MINIGRAD_CUDA_DEVICE=1 MINIGRAD_EXAMPLES=2 compute-sanitizer --tool $$tool --error-exitcode 1 \
			$(BIN)/python -m pytest -q tests/cuda/test_simulator_conv.py || exit 1; done; fi

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

.venv/.cuda-test: .venv/.dev
	@echo "installing Numba's CUDA target and NVIDIA's assembler into .venv"
	@$(PIP) -e ".[cuda-test]"
	@touch $@

.venv/.cuda: .venv/.dev
	@echo "installing CuPy and Numba's CUDA target into .venv"
	@$(PIP) -e ".[cuda]"
	@touch $@

clean:
	rm -rf .venv runs build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

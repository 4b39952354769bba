# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MODEL ?= tests/data/tiny-qwen2-Q4_K_M.gguf
AGAINST ?= $(if $(filter tests/data/tiny-qwen2-Q4_K_M.gguf,$(MODEL)),tests/data/tiny-qwen2)

.PHONY: demo test bench fuzz clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# The tests run the runtimes too: torch is pinned in pyproject.toml, and is the largest part of what this installs.
$(VENV)/tested: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev,transformers,llamacpp]'
	touch $@

demo: $(VENV)/installed  ## Check a model: the one shipped for tests, or MODEL=path [AGAINST=source]
	$(BIN)/contracts check $(MODEL) $(if $(AGAINST),--against $(AGAINST)) -o evidence
	$(BIN)/contracts evidence validate evidence/evidence.json evidence/run.json

test: $(VENV)/tested  ## Everything that must hold before a merge
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench:  ## Ratios against the tool a user would otherwise run, side by side; the wheel, installed as a user has it
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet 'torch==2.13.0' safetensors
	$(VENV)-bench/bin/python -m pip install --quiet --force-reinstall --no-deps . && $(VENV)-bench/bin/python -m pip install --quiet '.[transformers,llamacpp]'
	$(VENV)-bench/bin/python tests/benchmarks/bench.py

fuzz: $(VENV)/tested  ## Spoil files of every format for SECONDS, and say what was found: executions and findings a reader
	PYTHONPATH=tests $(BIN)/python -m fuzz $(or $(SECONDS),600)

clean:
	rm -rf $(VENV) $(VENV)-bench evidence bench-data

# Three commands do all the set-up on a fresh machine: `make demo`, `make test`, and `make quick`, a part of it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One worker a core; what opens a runtime for a whole file stays on one worker (tests/conftest.py).
PARALLEL ?= --numprocesses auto --dist loadgroup
MODEL ?= tests/data/tiny-qwen2-Q4_K_M.gguf
AGAINST ?= $(if $(filter tests/data/tiny-qwen2-Q4_K_M.gguf,$(MODEL)),tests/data/tiny-qwen2)

.PHONY: demo test quick bench fuzz docs clean

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
	$(BIN)/python -m pytest $(PARALLEL)

quick: $(VENV)/tested  ## Unit tests, the laws of the house, and every broken and honest variant
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/architecture tests/acceptance/test_broken_variants.py

bench:  ## Ratios against the tool a user would otherwise run, side by side; the wheel, installed as a user has it
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet 'torch==2.13.0' safetensors
	$(VENV)-bench/bin/python -m pip install --quiet --force-reinstall --no-deps . && $(VENV)-bench/bin/python -m pip install --quiet '.[transformers,llamacpp]'
	$(VENV)-bench/bin/python tests/benchmarks/bench.py

fuzz: $(VENV)/tested  ## Spoil files of every format for SECONDS; tells executions and failures a reader, and keeps what failed
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	PYTHONPATH=tests $(BIN)/python -m fuzz $(or $(SECONDS),600)

docs:  ## docs/ as a site, in site/: a dead link or a page that nothing leads to ends it
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install --quiet '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

clean:
	rm -rf $(VENV) $(VENV)-bench $(VENV)-docs evidence bench-data site

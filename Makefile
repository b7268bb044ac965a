# One command per habit. `make test ARGS="-k saml"` passes words on to pytest.
PYTHON ?= python3
BIN := .venv/bin
VENV := .venv/installed

.PHONY: venv demo test lint bench fuzz kills docs clean

venv: $(VENV)

# Editable, so edits count; bin/awslogin alone is copied.
$(VENV): pyproject.toml setup.py bin/awslogin
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,browser]'
	touch $@

demo: $(VENV)
	$(BIN)/python -m tests.demo

# Thousands of starts: where bytecode is not to be written, each would compile anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)
	scripts/install-test-parts
	$(BIN)/python -m pytest -n 4 $(ARGS)

lint: $(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)
	$(BIN)/python -m tests.bench

fuzz: $(VENV)
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.killed_migrations

# Commands killed before each of their changes to files; the suite tries a few.
kills: export AWSLOGIN_TEST_KILLS = all
kills: $(VENV)
	$(BIN)/python -m pytest -n 2 tests/test_kills_story.py $(ARGS)

docs: $(VENV)
	$(BIN)/awslogin config schema > docs/config.schema.json
	$(BIN)/awslogin config schema --report > docs/report.schema.json

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

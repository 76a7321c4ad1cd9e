# Two commands do everything: make demo and make test. Both install what they need into .venv first.
PYTHON ?= python3
PY := .venv/bin/python
export UV_PYTHON_DOWNLOADS := never

.PHONY: install demo bench roundtrip test test-browser lint clean

install: .venv/installed

.venv/installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "This needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "This needs Python with venv (Debian: apt-get install python3-venv)."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check "uv==$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p}' uv.lock)"
	$(PY) -m uv sync --frozen --quiet --python $(PY)
	@touch $@

demo: install
	@$(PY) manage.py demo $(ARGS)

bench: install
	@$(PY) manage.py bench $(ARGS)

roundtrip: install
	@$(PY) manage.py roundtrip $(ARGS)

test: install
	@$(PY) -m pytest -n auto --dist worksteal $(ARGS)

test-browser: install
	@$(PY) -m pytest tests/browser $(ARGS)

lint: install
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/lint-imports

clean:
	rm -rf .venv var .mypy_cache .ruff_cache .hypothesis .import_linter_cache

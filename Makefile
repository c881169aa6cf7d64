# make run    the demo server in the foreground, with nothing prepared but Python 3.11 or newer
# make test   the whole test suite, with the system programs that it needs
# make ui     the page, from ui/ into flussdvr/web/ui/static (wants Node.js 20 or newer; what is committed needs no Node)
# make deb    the Debian package, into dist/ (wants root's apt-get, or its build dependencies; takes libraries from PyPI)
# make tables the tables of docs/configuration.md and the settings in the API's schema, from the code
# make lint types bench clean

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
PACKAGING := setup.cfg pyproject.toml constraints.txt

.PHONY: run test bench lint types tables ui deb clean

run: $(VENV)/installed
	@echo
	@echo "  player and archive   http://127.0.0.1:8080/   (user admin, password demo)"
	@echo "  live                 http://127.0.0.1:8080/demo/index.m3u8"
	@echo "  the last minute      http://127.0.0.1:8080/demo/rewind-60.m3u8"
	@echo "  publish              ffmpeg -re -i FILE -c copy -f flv rtmp://127.0.0.1:1935/live/pushed"
	@echo "  stop                 Ctrl-C"
	@echo
	@exec $(BIN)/twist --log-format=text flussdvr --config etc/demo.conf

test: $(VENV)/installed-test
	@tests/install-system-packages
	PYTEST=$(BIN)/pytest tests/run

tables: $(VENV)/installed
	@$(BIN)/python -m flussdvr.config.tables

# make bench NAMES="export ranges" runs only these.
bench: $(VENV)/installed-test
	@$(BIN)/python -m bench $(NAMES)

ui: ui/node_modules/.package-lock.json
	cd ui && npm run --silent check && npm run --silent build

# dpkg-buildpackage leaves its files beside the tree: it gets a copy.
deb:
	@dpkg-checkbuilddeps 2>/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends build-essential debhelper dh-virtualenv dpkg-dev python3-venv; }
	rm -rf build/deb && mkdir -p build/deb/flussdvr dist
	git ls-files -z | xargs -0 cp --parents --no-dereference --target-directory=build/deb/flussdvr
	cd build/deb/flussdvr && dpkg-buildpackage --no-sign --build=binary
	mv build/deb/*.deb dist/
	@ls -l dist/*.deb

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-lint
	$(BIN)/mypy

# Recordings (var/) and the environment (.venv/) are not touched.
clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis _trial_temp*
	find . -name .venv -prune -o -name var -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "flussdvr needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1). Try: make PYTHON=/path/to/python3"; exit 1; }
	@# Debian keeps the part of venv that installs pip in a package of its own.
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	       if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	         apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "python$$version-venv"; \
	       else \
	         echo "Python's venv is not complete; install it first: sudo apt-get install python$$version-venv"; exit 1; \
	       fi; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)

ui/node_modules/.package-lock.json: ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund --loglevel=error

$(VENV)/installed: $(PACKAGING) | $(BIN)/pip
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(PACKAGING) | $(BIN)/pip
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-lint: $(PACKAGING) | $(BIN)/pip
	$(PIP) --editable '.[test,lint]'
	@touch $@ $(VENV)/installed $(VENV)/installed-test

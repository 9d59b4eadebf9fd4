PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed

.PHONY: demo test check lint format live bench pacing fuzz calibrate clean

demo: $(INSTALLED)  ## real inference, measured and told: installs into .venv, fetches a 93 MB model, writes a report
	$(BIN)/olbench run scenarios/quickstart.toml --pull --report reports/demo.html

test: $(INSTALLED)  ## all tests that need no server of yours
	$(BIN)/pytest -q

check: lint test  ## what must hold before a commit

lint: $(INSTALLED)  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

live: $(INSTALLED)  ## against a real Ollama: make live URL=http://127.0.0.1:11434 [MODEL=...] [THINKING=...] [OLLAMA=its binary]
	OLBENCH_LIVE_URL=$(URL) OLBENCH_LIVE_MODEL=$(MODEL) OLBENCH_LIVE_THINKING=$(THINKING) \
	OLBENCH_LIVE_OLLAMA=$(OLLAMA) $(BIN)/pytest -q -s -m live tests/live

bench: $(INSTALLED)  ## how exact olbench is as a client, beside others: make bench [ARGS="--quick"]; 16 minutes on a machine that is left alone
	$(BIN)/python tests/perf/bench.py $(ARGS)

pacing: $(INSTALLED)  ## do requests leave when they are due, and does a trace of ten thousand keep its times? A minute
	$(BIN)/python tests/perf/pacing.py both

fuzz: $(INSTALLED)  ## any bytes into what reads a server's answers, for ten minutes: make fuzz [SECONDS=600]
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: atheris
	PYTHONPATH=tests $(BIN)/python -m fuzz $(SECONDS)

calibrate: $(INSTALLED)  ## do 95 % intervals hold 95 %? Thousands of simulated runs, the tables of docs/statistics.md: make calibrate [TRIALS=10000]
	PYTHONPATH=tests $(BIN)/python -m calibration $(TRIALS)

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

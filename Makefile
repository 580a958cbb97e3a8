# Everything runs in .venv, which is created at first and recreated when requirements.txt changes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BESIDE := $(BIN)/python -m config.local.servers exec --
ALONE := $(BIN)/python -m config.local.servers exec --temporary --
MEASURED := $(BIN)/python -m config.local.servers exec --temporary --durable --
WORKERS ?= 3
BROKER ?= valkey

.DEFAULT_GOAL := help
.PHONY: hypothesis thorough-chaos help install run test lint audit sbom demo-check chaos chaos-webhooks hostile simulate fuzz mutants test-alone thorough bench format reset login shell real-run

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

run: $(INSTALLED)  ## run Ringback with embedded PostgreSQL and Valkey, until Ctrl-C
	@$(BIN)/python -m config.local.run --follow-parent

test: $(INSTALLED)  ## run the whole test suite on temporary servers (ARGS="-k …")
	@$(ALONE) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(INSTALLED)  ## check format, types, imports between packages, insecure code, and migrations
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive callbacks config dialer webhooks
	@$(ALONE) $(BIN)/python manage.py makemigrations --check --dry-run

audit: $(INSTALLED)  ## ask for known vulnerabilities of all installed packages
	@$(BIN)/python -m config.local.advisories

sbom: $(INSTALLED)  ## list all installed packages in sbom.json (CycloneDX)
	@$(BIN)/cyclonedx-py environment --output-reproducible --output-file sbom.json .venv

demo-check: $(INSTALLED)  ## check the demo's promises against a running `make run`
	@$(BIN)/python -m config.demo.check $(ARGS)

chaos: $(INSTALLED)  ## kill and disturb every process and server, then check every person's calls and promises (BROKER=rabbitmq)
	@$(MEASURED) $(BIN)/python -m tests.chaos --broker=$(BROKER) $(ARGS)

chaos-webhooks: $(INSTALLED)  ## kill webhook workers, flush the broker, restart PostgreSQL, then check what receivers got
	@$(MEASURED) $(BIN)/python -m tests.chaos.webhooks $(ARGS)

real-run: $(INSTALLED)  ## run every process of the Procfile, drive it over HTTP, then check carrier and receiver (BROKER=rabbitmq)
	@REAL_RUN_LEFT_ALONE=1 BROKER=$(BROKER) $(ALONE) $(BIN)/python -m pytest -n 0 -s -rs tests/real_run -k "$(BROKER)" $(ARGS)

fuzz: $(INSTALLED)  ## ask the API at random from its own schema, 20,000 times (ARGS="--seed …")
	@$(BIN)/python -m tests.fuzz $(ARGS)

hostile: $(INSTALLED)  ## deliver to misbehaving receivers, alone and beside healthy ones (needs an idle machine)
	@$(ALONE) $(BIN)/python -m tests.hostile $(ARGS)

simulate: $(INSTALLED)  ## simulate two weeks of ten thousand people with an independent checker and its mutants
	@$(ALONE) $(BIN)/python -m tests.simulation $(ARGS)

test-alone: $(INSTALLED)  ## run random tests, each in its own process (ARGS="--count 200 --seed …")
	@$(BIN)/python -m tests.alone $(ARGS)

mutants: $(INSTALLED)  ## insert deliberate faults one by one; the tests must notice each (ARGS="--only dialer/rules")
	@$(BIN)/python -m tests.mutants $(ARGS)

thorough: $(INSTALLED)  ## run all long checks overnight: more property cases, the whole simulation, long chaos, all mutants
	@$(MAKE) --keep-going hypothesis simulate fuzz thorough-chaos hostile mutants test-alone

hypothesis: $(INSTALLED)
	@$(ALONE) $(BIN)/python -m pytest -n $(WORKERS) -m hypothesis --hypothesis-profile=thorough --timeout 3600 $(ARGS)

thorough-chaos: $(INSTALLED)
	@$(MAKE) chaos ARGS=--long
	@$(MAKE) chaos-webhooks

bench: $(INSTALLED)  ## measure everything beside other queues in 20 minutes, on an idle machine, into docs/bench/ (ARGS="lifecycle --short")
	@$(MEASURED) $(BIN)/python -m bench $(ARGS)

format: $(INSTALLED)  ## format the code
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

login: $(INSTALLED)  ## print the demo's addresses, password and key
	@$(BIN)/python -m config.local.settings

shell: $(INSTALLED)  ## open Django's shell with a running or a new PostgreSQL
	@$(BESIDE) $(BIN)/python manage.py shell

reset: $(INSTALLED)  ## delete all data of `make run`
	@$(BIN)/python -m config.local.servers reset

# Everything runs in .venv, which is made once and again when requirements.txt changes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BESIDE := $(BIN)/python -m config.local.servers exec --
ALONE := $(BIN)/python -m config.local.servers exec --temporary --
MEASURED := $(BIN)/python -m config.local.servers exec --temporary --durable --
WORKERS ?= 3
BROKER ?= valkey

.DEFAULT_GOAL := help
.PHONY: hypothesis thorough-chaos help install run test lint demo-check chaos chaos-webhooks hostile simulate mutants test-alone thorough bench bench-webhooks format reset login shell real-run

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

run: $(INSTALLED)  ## the whole of Ringback with its own PostgreSQL and Valkey, until Ctrl-C
	@$(BIN)/python -m config.local.run --follow-parent

test: $(INSTALLED)  ## the whole test suite, on servers of its own that are gone afterwards (ARGS="-k …")
	@$(ALONE) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(INSTALLED)  ## form, types, who imports whom, migrations
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-logo
	@$(ALONE) $(BIN)/python manage.py makemigrations --check --dry-run

demo-check: $(INSTALLED)  ## what the demo promises, and what a `make run` beside it shows
	@$(BIN)/python -m config.demo.check $(ARGS)

chaos: $(INSTALLED)  ## everything that must survive, done to every process and server; judged per person and promise (BROKER=rabbitmq)
	@$(MEASURED) $(BIN)/python -m tests.chaos --broker=$(BROKER) $(ARGS)

chaos-webhooks: $(INSTALLED)  ## webhook workers killed, the broker flushed, PostgreSQL restarted; judged by the receivers' files
	@$(MEASURED) $(BIN)/python -m tests.chaos.webhooks $(ARGS)

real-run: $(INSTALLED)  ## every process of the Procfile, driven over HTTP; judged by carrier and receiver (BROKER=rabbitmq)
	@REAL_RUN_LEFT_ALONE=1 BROKER=$(BROKER) $(ALONE) $(BIN)/python -m pytest -n 0 -s -rs tests/real_run -k "$(BROKER)" $(ARGS)

hostile: $(INSTALLED)  ## receivers that do everything wrong, alone and beside healthy ones (alone on the machine)
	@$(ALONE) $(BIN)/python -m tests.hostile $(ARGS)

simulate: $(INSTALLED)  ## two weeks of ten thousand people in virtual time, judged by a checker of its own, and its mutants
	@$(ALONE) $(BIN)/python -m tests.simulation $(ARGS)

test-alone: $(INSTALLED)  ## tests picked by chance, each in a run of its own (ARGS="--count 200 --seed …")
	@$(BIN)/python -m tests.alone $(ARGS)

mutants: $(INSTALLED)  ## deliberate faults, one after the other: the tests must notice each (ARGS="--only dialer/rules")
	@$(BIN)/python -m tests.mutants $(ARGS)

thorough: $(INSTALLED)  ## for a night: new cases of every property, the whole simulation, long chaos, all mutants
	@$(MAKE) --keep-going hypothesis simulate thorough-chaos hostile mutants test-alone

hypothesis: $(INSTALLED)
	@$(ALONE) $(BIN)/python -m pytest -n $(WORKERS) -m hypothesis --hypothesis-profile=thorough --timeout 3600 $(ARGS)

thorough-chaos: $(INSTALLED)
	@$(MAKE) chaos ARGS=--long
	@$(MAKE) chaos-webhooks

bench: $(INSTALLED)  ## dial lifecycles beside bare Celery tasks, and lateness with a million held (alone on the machine)
	@$(MEASURED) $(BIN)/python -m bench.engine $(ARGS)

bench-webhooks: $(INSTALLED)  ## webhook deliveries per second, and the time to a receiver's first byte (the same)
	@$(MEASURED) $(BIN)/python -m bench.webhooks $(ARGS)

format: $(INSTALLED)  ## put the form right
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

login: $(INSTALLED)  ## where the demo is, its password and key
	@$(BIN)/python -m config.local.settings

shell: $(INSTALLED)  ## Django's shell beside a running or a fresh PostgreSQL
	@$(BESIDE) $(BIN)/python manage.py shell

reset: $(INSTALLED)  ## forget all data of `make run`
	@$(BIN)/python -m config.local.servers reset

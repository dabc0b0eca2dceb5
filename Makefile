# `make demo` and `make test` need git, make and Python 3.11, 3.12 or 3.13, and set up the rest themselves. A newer Python, and
# Linux on ARM, need a redis-server or valkey-server beside: no wheel brings one there.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# EXIT=1 ends the demo after its pass; DATA keeps its data elsewhere; ARGS go to pytest.
DATA ?= .registrar
ARGS ?=

.PHONY: demo up test test-slow test-all servers coverage bench chaos fuzz machine pictures docs references lint types contracts audit mutants check requirements clean help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## the main job on embedded parts; EXIT=1 ends after the pass
	@$(BIN)/registrar --data $(DATA) demo $(if $(EXIT),--exit)

up: $(READY)  ## all parts on this machine, with your registrar.yml
	@$(BIN)/registrar --data $(DATA) up

# JOBS test processes, each with servers of its own; a choice of tests runs in one, where --pdb and -s work.
JOBS ?= $(if $(ARGS),0,4)
PYTEST := $(BIN)/python -m pytest -n $(JOBS)

test: $(READY)  ## the tests for every day; ARGS="tests/webhooks -k rate" for some
	@$(PYTEST) --dist worksteal $(if $(findstring tests/slow,$(ARGS)),,--ignore=tests/slow) $(ARGS)

test-slow: $(READY)  ## those that need minutes: tests/slow
	@$(PYTEST) --dist loadfile --no-loadscope-reorder tests/slow

test-all: test test-slow  ## both

servers: $(READY)  ## the main job on every MLflow server that the doctor knows, each installed beside: minutes
	@MLFLOW_SERVERS=all $(BIN)/python -m pytest -n 0 tests/slow/mlflow_servers

coverage: $(READY)  ## the branches that all tests take, file by file, in every process that they start
	@$(BIN)/python -m tests.covered -n $(JOBS) --dist loadfile $(ARGS)

# BENCH names some of tests/bench, ROUNDS how many each figure is the median of, OUT the folder of performance.md and its figures,
# NOTE what its readers must know of the machine; INSTALLS=1 installs from the index, too.
# EVENTS is the size of a burst, of a queue; without it each bench has its own.
BENCH ?=
ROUNDS ?= 5
OUT ?= docs/explanation
NOTE ?=
EVENTS ?=

bench: $(READY)  ## how fast and how large, beside what one would take instead; BENCH="accept start" for some
	@$(BIN)/python -m tests.bench.run $(BENCH) --rounds $(ROUNDS) --out $(OUT) --note "$(NOTE)" $(if $(INSTALLS),--installs) $(if $(EVENTS),--events $(EVENTS))

# SECONDS, SEED and LEDGER (sqlite or postgresql) choose a run of chaos; WITHOUT (lease, sweep, look-first or lane-order)
# takes away what keeps a promise: the run must fail.
SECONDS ?= 180
SEED ?= 1
LEDGER ?= sqlite

chaos: $(READY)  ## kill, cut, freeze and flush for SECONDS, then count what was lost or doubled
	@$(BIN)/python -m tests.slow.chaos.run --seconds $(SECONDS) --seed $(SEED) --ledger $(LEDGER) $(if $(WITHOUT),--without $(WITHOUT))

# Random requests; the test suite sends 5,000.
N ?= 50000

fuzz: $(READY)  ## N random requests at every source, over real HTTP
	@FUZZ=$(N) $(BIN)/python -m pytest -s tests/slow/fuzz

# LEDGER (sqlite or postgresql; else both) chooses here too; WITHOUT (a name of tests/slow/promotions/without.py) takes a
# safeguard out: the run must fail.
machine: N = 200
machine: LEDGER = sqlite or postgresql
machine: $(READY)  ## N random lives of a promotion, on each ledger, against MLflow itself; what fails is shrunk
	@MACHINE=$(N) WITHOUT=$(WITHOUT) $(BIN)/python -m pytest -s -n 0 tests/slow/promotions/test_state_machine.py -k "$(LEDGER)"

# TO: a folder; without it, docs/how-to/dashboard.
TO ?=

pictures: $(READY)  ## take the dashboard's pictures in docs/how-to/dashboard again; TO=FOLDER: every page's, in four looks
	@TO=$(TO) $(BIN)/python -m pytest tests/slow/browser/shots.py

# Beside the others, as for the audit below. Generated references are committed: tests/docs holds them against the code.
SITE := $(VENV)/site
$(SITE)/.ready: requirements/docs.txt | $(READY)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(SITE)
	@VIRTUAL_ENV=$(SITE) $(BIN)/uv pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

docs: $(SITE)/.ready  ## build the documentation as a site in site/; a warning fails it
	@$(SITE)/bin/zensical build --clean --strict

references: $(READY)  ## write the generated parts of docs/ again: commands, registrar.yml, events, tables
	@$(BIN)/python -m tests.docs.references
	@$(BIN)/python -m tests.cli.manual > $(VENV)/cli.md && mv $(VENV)/cli.md docs/reference/cli.md

lint: $(READY)  ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)  ## mypy --strict
	@$(BIN)/mypy

contracts: $(READY)  ## who may import whom
	@$(BIN)/lint-imports

# Beside the others: what looks for holes is not among what it looks at.
AUDIT := $(VENV)/audit
$(AUDIT)/.ready: requirements/audit.txt | $(READY)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(AUDIT)
	@VIRTUAL_ENV=$(AUDIT) $(BIN)/uv pip install --quiet --require-hashes -r requirements/audit.txt
	@touch $@

audit: $(AUDIT)/.ready  ## known holes in what requirements/*.txt pins; .ci/advisories.toml excuses some for a while
	@$(BIN)/python .ci/audit.py $(AUDIT)/bin/pip-audit

# On top of the main environment: tests run in the process that changes the code.
MUTMUT := $(VENV)/mutmut
$(MUTMUT)/.ready: requirements/mutants.txt | $(READY)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(MUTMUT) --require-hashes -r requirements/mutants.txt
	@touch $@

# NAME: one part of tests/mutants.toml, else all; ONLY: a function of it, as "*duration*"; JOBS: processes at once.
NAME ?=
ONLY ?=

mutants: JOBS = 2
mutants: $(MUTMUT)/.ready  ## change the code in thousands of ways; a test must fail for each, or tests/mutants.toml says why not
	@PYTHONPATH=$(CURDIR)/$(MUTMUT) $(BIN)/python -m tests.mutants $(NAME) --jobs $(JOBS) $(if $(ONLY),--only "$(ONLY)")

# BASE: what it is compared with.
BASE ?= HEAD

check: lint types contracts  ## before a commit: those, and the tests of what differs from BASE
	@$(BIN)/python -m tests.changed $(BASE)

# uv installs from the pinned, hashed list and compiles bytecode (MLflow starts in 6 s with it, in 90 s without).
$(READY): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Registrar needs Python 3.11, 3.12 or 3.13 on the PATH, or as make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m registrar.broker.redis_server
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (first time: about a minute)"
	@command -v $(BIN)/uv >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps -e .
	@touch $@

LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
COMPILE = $(LOCK) pyproject.toml

requirements: $(READY)  ## pin anew: requirements/*.txt with hashes (UPGRADE=--upgrade for newer versions)
	$(COMPILE) $(UPGRADE) --extra embedded --extra postgres --extra tracing --extra archive --group dev -o requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt --extra receiver --extra postgres --extra tracing -o requirements/receiver.txt
	$(COMPILE) --constraint requirements/dev.txt --extra worker --extra postgres --extra tracing -o requirements/worker.txt
	$(LOCK) --constraint requirements/dev.txt --group mlflow-server -o requirements/mlflow-server.txt
	$(LOCK) --constraint requirements/dev.txt --group flower -o requirements/flower.txt
	$(LOCK) --constraint requirements/dev.txt --group wheel -o requirements/wheel.txt
	$(LOCK) --constraint requirements/dev.txt --group audit -o requirements/audit.txt
	$(LOCK) --constraint requirements/dev.txt --group mutants -o requirements/mutants.txt
	$(LOCK) --constraint requirements/dev.txt --group docs -o requirements/docs.txt

clean:  ## remove the virtual environment and the demo's data
	rm -rf $(VENV) $(DATA)

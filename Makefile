# The examples of property tests are the same each time: what passes here passes elsewhere. Plain pytest draws new ones.
STEADY := --hypothesis-seed=0
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-engine-all test-boot-all test-clients test-fleet mutate lint format generate bench tools clean setup

STACK ?= aliyun-t4
CLIENTS := tests/clients tests/vectors tests/apps tests/backups tests/bundle tests/bootstrap/test_node_bucket.py tests/bootstrap/test_node_depot.py tests/gateway/test_engines.py
TOOLS := $(or $(PULUMI_LLM_TOOLS),$(CURDIR)/.tools)
SOURCES := $(wildcard bench components docs/ci policy stacks templates tests tools)
SCRIPTS := tools/fetch tools/generate tools/models-page tools/mutate tools/outdated tools/setup components/pulumi_llm/_simcloud/tools_go/build tools/fleet/build .ci/run

# The programs that were fetched, and the project's Python, come before the machine's own.
# Without bytecode every start of the engine's six plugins would compile the SDKs anew.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(TOOLS)/bin:$(CURDIR)/.venv/bin:$(PATH)

help: ## this list
	@echo "pulumi-llm: what can be made here (every target does its own set-up)"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

setup:
	@tools/setup

demo: setup ## a whole platform on simulated clouds: no account, no network (STACK=aliyun-t4)
	@echo "demo: pulumi-llm sim up -s $(STACK)"
	@pulumi-llm sim up -s $(STACK) --yes
	@echo
	@echo "demo: that was the real Pulumi engine, running stacks/Pulumi.$(STACK).yaml against simulated clouds:"
	@echo "      nothing was bought, and no account or network was used. Now try"
	@echo "        .venv/bin/pulumi-llm sim stack output -s $(STACK)    the outputs again"
	@echo "        .venv/bin/pulumi-llm sim preview -s $(STACK)         after an edit of the stack's file"
	@echo "        .venv/bin/pulumi-llm sim destroy -s $(STACK)         and away with it"

tools: setup ## the real programs that the tests run, built or installed once (about ten minutes at first)
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch pulumi yaml actionlint age caddy compose cloud-init shellcheck systemd
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch prometheus || echo "tools: so alerts are not asked of a Prometheus here, and those tests are skipped"
	@tools/fetch workerd || echo "tools: so no Worker is run here, and those tests are skipped"

test: tools ## every test, the slow ones too, but what the next four have
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch boot || echo "test: so no node is booted here, and those tests are skipped"
	@python -m tests.clients.installed openai anthropic llm || echo "test: so they are not tried on it"
	@failed=0; \
	echo "test: one shipped stack, booted, and called by people's own clients; then a chat page in a browser: about ten minutes"; \
	python -m pytest $(STEADY) -m 'boot and not boot_all' -n 0 --durations=8 || failed=1; \
	echo "test: what shares the machine with no other test: some minutes"; \
	python -m pytest $(STEADY) -m 'alone and not clients' -n 0 --durations=3 || failed=1; \
	echo "test: all the rest, on four processes (the engine's tests wait more than they work): three quarters of an hour"; \
	python -m pytest $(STEADY) -m 'not boot and not clients and not fleet and not engine_all and not alone' -n 4 --durations=8 || failed=1; \
	exit $$failed

test-engine-all: tools ## the rest of the real engine's tests: each of them on every cloud (most of an hour)
	@python -m pytest -m 'engine_all and not fleet' -n 4 --durations=8

test-boot-all: setup ## every shipped stack booted, and every fault (an hour and more; root on Linux)
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch pulumi boot pgvector
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch versitygw || echo "test-boot-all: so weights are kept in no bucket here, and those tests are skipped"
	@python -m pytest -m boot -n 0 --durations=20

test-clients: tools ## Claude Code, Codex and ten clients more through Caddy and the gateway (npm and PyPI; about 3 GB at first)
	@python -m tests.clients.installed || echo "test-clients: those that cannot be had are skipped"
	@python -m tests.vectors.wheels open-webui || echo "test-clients: so the chat page is not run, and those tests are skipped"
	@PYTHON=$(CURDIR)/.venv/bin/python tools/fetch versitygw || echo "test-clients: so backups, weights and bundles go to no bucket here, and those tests are skipped"
	@tools/fetch ray || echo "test-clients: so no model is on several machines over Ray here, and that test is skipped"
	@python -m pytest -m clients -n 2 --dist loadgroup $(CLIENTS)

test-fleet: setup ## a fleet in a real Kubernetes with nodes that are played, by pulumi too (Go modules: an hour at first; then a quarter of one)
	@tools/fetch fleet
	@python -m pytest -m fleet -n 0 --durations=5 tests/fleet

mutate: setup ## which mistakes the tests would miss, by a sample of them (half an hour; MUTATE="--module '*/store.py' --per-module 20")
	@tools/mutate $(MUTATE)

lint: setup ## formatting, ruff, mypy, shellcheck
	@tools/fetch shellcheck
	@ruff format --check $(SOURCES)
	@ruff check $(SOURCES)
	@echo "lint: mypy (at first it reads the SDKs: some minutes)"
	@mypy
	@shellcheck $(SCRIPTS)

generate: setup ## arguments, schema and tables of the docs, from spec/, the roles and the rows of vendors and moderators
	@tools/generate

format: setup ## formats the Python sources
	@ruff format $(SOURCES)
	@ruff check --fix $(SOURCES)

bench: setup ## what previews and plans cost
	@tools/fetch pulumi
	@python -m bench

clean: ## removes the simulations' state and what linters and tests left; keeps .venv and .tools
	@rm -rf .pulumi-sim .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf {} +

# Every target works on a fresh machine: it needs Python 3.11 or newer and make, and builds .venv itself.

PYTHON ?= python3
STAGE ?= prod
EVENT ?=
# Requirements are complete with all that they need themselves: pip installs exactly these and checks them after.
PIP_FLAGS ?= --quiet --disable-pip-version-check
ARGUMENTS ?=

VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run demo demo-class demo-money demo-roster test test-long bench lint check package deploy bootstrap invoke format clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '%-20s %s\n' "$$target" "$$text"; done

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else 1)' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed. This one is: $$($(PYTHON) --version 2>&1)."; \
		echo "Name another with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "building $(VENV) from requirements-dev.txt (once, about a minute) ..."
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install $(PIP_FLAGS) -r requirements-dev.txt
	@$(RUN) -m pip check --disable-pip-version-check
	@touch $@

run: $(READY) ## start the platform on this machine, run the main job on real input, serve until Ctrl-C
	@$(RUN) -m tools.demo --stay $(ARGUMENTS)

demo: $(READY) ## the main job, then exit
	@$(RUN) -m tools.demo $(ARGUMENTS)

demo-class: $(READY) ## of the main job the classroom alone: a class of 30 with 6 sessions
	@$(RUN) -m tools.demo_classroom

demo-money: $(READY) ## of the main job the money alone: the class's vouchers applied for, paid, written off
	@$(RUN) -m tools.demo_money

demo-roster: $(READY) ## of the main job the rosters alone: 5,000 rows with every kind of dirt
	@$(RUN) -m tools.demo_rosters

test: $(READY) ## everything that proves the project
	@$(RUN) -m tools.dynamodb_local
	@$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGUMENTS)

test-long: $(READY) ## with more examples and longer races
	@$(RUN) -m tools.dynamodb_local
	@LONG=1 $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGUMENTS)

bench: $(READY) ## how fast it is, beside its floors, on DynamoDB Local: bench/results.json, docs/performance.md
	@$(RUN) -m bench $(ARGUMENTS)

lint: $(READY) ## ruff and mypy
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

check: lint test ## the gate before a commit: lint, then all tests (the packaged templates among them)

format: $(READY) ## let ruff put imports and layout right
	@$(RUN) -m ruff check --fix
	@$(RUN) -m ruff format

package: $(READY) ## build/STAGE/: the CloudFormation templates and code; needs no account
	@$(RUN) -m tools.package --stage $(STAGE)

deploy: $(READY) ## deploy STAGE to the account and region of the environment, aws or aws-cn
	@$(RUN) -m tools.deploy --stage $(STAGE) $(ARGUMENTS)

bootstrap: $(READY) ## after the first deploy of STAGE: regions, rule sets, the ministry's first client
	@$(RUN) -m tools.bootstrap --stage $(STAGE) $(ARGUMENTS)

invoke: $(READY) ## send EVENT=events/<function>.<what>.json to its function on the local stack
	@test -n "$(EVENT)" || { echo "Which event? make invoke EVENT=events/expire.schedule.json"; exit 2; }
	@$(RUN) -m tools.invoke $(EVENT)

clean: ## remove what was built: packages, caches, local state; not .venv
	rm -rf build .local .pytest_cache .mypy_cache .ruff_cache .hypothesis .chalice/deployments .chalice/deployed

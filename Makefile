# Everything a person does here, by name. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lock generate bench load explore images cluster bench-cluster cluster-down
# More arguments for the target's tool: make test ARGS="-k splice".
ARGS ?=

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# Recipes replace the shell that runs them, so that Ctrl-C and SIGTERM reach the program itself, once, and make waits for its end.
run: ## set up what is missing, then serve on 127.0.0.1:8080 (PORT, PODIUM_HOME)
	@exec scripts/python scripts/run.py $(ARGS)

test: ## set up what is missing, then run every test this machine can run
	@exec scripts/python scripts/test.py $(ARGS)

check: ## format, lint, types, import contracts, generated files, unit tests (ARGS=--static leaves those out)
	@exec scripts/python scripts/check.py $(ARGS)

fmt: ## format, and fix what ruff can fix
	@scripts/python scripts/environment.py
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lock: ## resolve the dependencies again into requirements.lock (needs uv; ARGS=--upgrade for newer ones)
	@exec scripts/lock $(ARGS)

generate: ## write the documentation that is made from code
	@scripts/python scripts/environment.py
	@.venv/bin/python -B scripts/generate.py

bench: ## measure against nginx and a bare Chromium, and print ratios
	@scripts/python scripts/environment.py bench
	@cd tests && exec ../.venv/bin/python -m bench $(ARGS)

load: ## storm the operator with 100 starts a second, conflicts, kills, outages (ARGS=--quick for a tenth)
	@scripts/python scripts/environment.py
	@cd tests && exec ../.venv/bin/python -m load $(ARGS)

explore: ## do what callers may do, at random, against pages that misbehave (ARGS="--steps 20000 --seed 7"; --replay FILE)
	@scripts/python scripts/environment.py
	@cd tests && exec ../.venv/bin/python -m explore $(ARGS)

images: ## build the container images into archives outside the checkout (ARGS="gateway operator browser browser-light")
	@exec scripts/python scripts/images.py $(ARGS)

cluster: ## bring up a Kubernetes cluster with Podium in it, on this machine (CLUSTER=embedded|kind; embedded needs root)
	@exec scripts/python scripts/cluster.py up

bench-cluster: ## time warm and cold starts in the cluster that is up, through its ingress
	@exec scripts/python scripts/cluster.py time $(ARGS)

cluster-down: ## take it down; says what is left, which is nothing
	@exec scripts/python scripts/cluster.py down

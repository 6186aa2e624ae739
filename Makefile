# `make` lists the targets. They install what they need; all the work is in scripts/.
.DEFAULT_GOAL := help
.PHONY: help run test check unit integration venv format proto docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start orca on this host and deploy the example
	@scripts/run.sh

test: ## install what the tests need and run everything
	@scripts/test.sh

check: ## format, lint, types, layers, generated files
	@scripts/test.sh static

unit: ## the tests that need nothing but Python
	@scripts/test.sh fast

integration: ## the tests on a real Docker, etcd and Envoy
	@scripts/test.sh host

venv: ## make .venv with everything for development
	@bash -c 'source scripts/lib.sh && ensure_venv requirements-dev.lock'

format: venv ## format the code and fix what the linter can fix
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

proto: venv ## generate the protobuf code again
	scripts/gen-proto.sh
	scripts/gen-etcd-proto.sh

docs: venv ## generate the reference pages again
	for generator in scripts/gen_*_docs.py; do .venv/bin/python $$generator || exit; done

lock: venv ## resolve the dependencies again
	scripts/lock.sh

clean: ## remove what was built; leaves running servers and ~/.orca alone
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

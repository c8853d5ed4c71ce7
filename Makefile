# Everything runs in .venv, which `make install` builds from requirements.lock.
PYTHON ?= python3
SHELL := /bin/bash
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/.installed
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := true
SMOKE := .local/smoke
DB ?= $(CURDIR)/.local/mlflow.db

.DEFAULT_GOAL := help
.PHONY: help install repro smoke flow ui preset test lint

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Create .venv from the lock file and install the project

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $(STAMP)

repro: install ## Run the pipeline in params.yaml to its report (default: digits)
	dvc repro evaluate
	@echo "The report: $(CURDIR)/reports/evaluate/report.html"

smoke: install ## The whole pipeline, tiny, in about five minutes, in a scratch copy
	rm -rf $(SMOKE)
	python -m flows.preset smoke --into $(SMOKE)
	cd $(SMOKE) && dvc repro
	@echo "The report: $(CURDIR)/$(SMOKE)/reports/evaluate/report.html"

flow: install ## Run the pipeline as a Prefect flow: stages side by side, retries, time-outs
	python -m flows.pipeline

ui: install ## MLflow on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true mlflow ui --host 127.0.0.1 --port 5000 \
		--workers 1 --backend-store-uri sqlite:///$(abspath $(DB))

preset: install ## Apply presets/NAME.yaml to params.yaml: make preset NAME=faces64
	python -m flows.preset $(NAME)

test: install ## Run all tests
	pytest

lint: install ## Format check, lint, types
	ruff format --check .
	ruff check .
	mypy

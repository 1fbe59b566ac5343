# The front door. Every target installs the system packages it lacks when it is root on Debian,
# and otherwise names them.
.PHONY: help up down demo test bench conformance build checked lint unit e2e simulation torture fuzz clean

# The shim and the sample are static programs: the shim to be small, the sample because its image
# holds nothing else. They get a target directory of their own, so that the flags don't rebuild the rest.
# The library is looked for by the recipe's shell: make would look before scripts/deps has installed it.
HOST    := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
STATIC   = LIBSECCOMP_LINK_TYPE=static LIBSECCOMP_LIB_PATH="$$(dirname "$$(find /usr/lib /usr/local/lib -name libseccomp.a 2>/dev/null | head -1)")" \
           RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static' cargo build --locked --target $(HOST)
BIN     := target/bin
# The tests' programs: with debug assertions and overflow checks, of the same build as the unit tests.
CHECKED := target/bin-checked
VENV    := target/venv

# What the property tests, the fuzzers and the torture choose comes from the tree under test, so that a commit
# passes everywhere or nowhere. `make test SEED=$RANDOM` chooses otherwise.
SEED    ?= $(shell printf %d "0x$$(git rev-parse --short=7 'HEAD^{tree}' 2>/dev/null || echo 1)")

# What is run once more with Debian's shim and runc: the life of a task, what is in it, and its walls.
TASKS   := $(addprefix tests/e2e/test_,tasks.py containers.py restart.py isolation.py)

help: ## this list
	@grep -E '^[a-z0-9]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

up: build ## build, start Longshore, deploy the sample service (ARGS="--no-sample --listen HOST:PORT …")
	$(BIN)/longshore up $(ARGS)

down: ## stop it and remove everything it made on this machine (ARGS="--data-dir DIR")
	$(BIN)/longshore down $(ARGS)

demo: build $(VENV) ## the same against a throw-away data directory, each step checked, then taken down
	@scripts/deps demo
	scripts/demo $(BIN) $(VENV)/bin

test: lint unit simulation e2e conformance fuzz torture ## everything that CI checks

lint:
	@scripts/deps test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo xtask check
	cargo xtask codegen --check

unit: checked
	PROPTEST_RNG_SEED=$(SEED) cargo test --locked --workspace

e2e: checked $(VENV)
	LONGSHORE_BIN=$(CHECKED) $(VENV)/bin/python -m pytest -q tests/e2e
	LONGSHORE_BIN=$(CHECKED) $(VENV)/bin/python -m pytest -q --runtime io.containerd.runc.v2 $(TASKS)
	scripts/demo $(CHECKED) $(VENV)/bin

# Of the build that `checked` made: as a package by itself it would have its dependencies built once more.
simulation: checked ## a million steps of services on failing machines (SEED=7 ARGS="--steps N --episode N")
	target/debug/simulation --seed $(SEED) $(ARGS)

torture: checked ## 200 kills under load, everything acknowledged checked (SEED=7 ARGS="--rounds N --verbose")
	LONGSHORE_BIN=$(abspath $(CHECKED)) cargo xtask torture --seed $(SEED) $(ARGS)

# Seven targets, two at a time: four times as long as this.
SECONDS ?= 60
fuzz: ## every fuzz target for SECONDS (SECONDS=600 TARGETS="layer json" SEED=7 …)
	@scripts/deps fuzz
	SEED=$(SEED) scripts/fuzz $(SECONDS) $(TARGETS)

bench: build $(VENV) ## the figures, each beside its peer; also written to target/bench.json, and docs/charts drawn
	@scripts/deps bench
	cargo build --locked --release -p longshore -p load
	cargo build --locked --release -p plan --examples
	$(VENV)/bin/python tests/bench/bench.py --bin $(BIN) --load target/release/load \
		--examples target/release/examples --out target/bench.json
	$(VENV)/bin/python tests/bench/chart.py target/bench.json docs/charts

conformance: checked $(VENV) ## the registry and the API against their specifications
	LONGSHORE_BIN=$(CHECKED) $(VENV)/bin/python -m pytest -q tests/conformance

build: ## longshore, its shim and the sample, into target/bin
	@scripts/deps build
	cargo build --locked --release -p longshore
	$(STATIC) --release -p shim -p sample
	@mkdir -p $(BIN)
	@install -m 755 target/release/longshore target/$(HOST)/release/containerd-shim-longshore-v1 \
		target/$(HOST)/release/longshore-sample $(BIN)/

# `--tests` so that everything is built once, with the features that the unit tests ask for.
checked:
	@scripts/deps test
	cargo build --locked --workspace --bins --tests
	$(STATIC) -p shim -p sample
	@mkdir -p $(CHECKED)
	@install -m 755 target/debug/longshore target/debug/s3 target/$(HOST)/debug/containerd-shim-longshore-v1 \
		target/$(HOST)/debug/longshore-sample $(CHECKED)/

$(VENV): tests/requirements.txt
	@scripts/deps demo
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt
	@touch $(VENV)

clean:
	cargo clean

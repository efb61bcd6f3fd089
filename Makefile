# Every task of the project. CI calls only these.

# One profile for everything native: a wasmtime without optimisation is too slow to test with.
CARGO := cargo
POLICIES := $(filter-out sdk pod-security,$(notdir $(patsubst %/Cargo.toml,%,\
	$(wildcard guest-policies/*/Cargo.toml examples/policies/*/Cargo.toml tests/guests/*/Cargo.toml))))
WASM := --profile guest --target wasm32-unknown-unknown $(addprefix -p ,$(POLICIES))
TARGET := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test clients capture-clients setup policies build lint unit e2e bench bench-isolation bench-hostile bench-tenants bench-data bench-replay bench-restart fuzz clean deny

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Builds no benchmarks and no tests, and with the features of the whole workspace: `make test` finds wasmtime built.
demo: ## Walk the two seeds with a real, throwaway dockerd, step by step (as root; RELEASE=28.5: with that Docker, after `make setup`)
	@[ -e $(TARGET)/release/portcullis ] || echo "demo: the first build takes about 15 minutes on two cores, most of them for wasmtime; cargo names each crate that it comes to"
	@echo "demo: 1 of 4: what is missing on this machine"
	@scripts/setup demo
	@echo "demo: 2 of 4: the policies, to .wasm files"
	$(CARGO) build $(WASM)
	@echo "demo: 3 of 4: portcullis, and the walk"
	$(CARGO) build --release --workspace --bin portcullis --bin demo
	@echo "demo: 4 of 4: the walk"
	@$(TARGET)/release/demo $(RELEASE)

test: setup policies build ## Run every test, with the walk against a real dockerd among them (as root)
	$(CARGO) test --release --workspace

setup: ## Install what is missing on a Debian machine: Docker, newer daemons of it, busybox, schemathesis, Prometheus, the wasm target, … (as root)
	@scripts/setup

policies: ## Build the policies to .wasm files
	$(CARGO) build $(WASM)

build: ## Build the portcullis binary and the demo
	$(CARGO) build --release --workspace --bins

lint: ## Check format and lints, of the policies for wasm too
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(WASM) -- -D warnings

unit: ## Run the tests that need neither a daemon nor a built policy
	$(CARGO) test --release --workspace --exclude portcullis-tests

e2e: setup policies build ## Run the tests of the built binary and of the real dockerd only (as root)
	$(CARGO) test --release --workspace --test '*'

clients: setup policies build ## Run real clients (dockerode, Ansible, compose, …) against a guarded dockerd only (as root)
	$(CARGO) test --release --workspace --test clients

capture-clients: setup policies build ## The same, and write their calls into tests/cases/ordinary/clients anew
	PORTCULLIS_CAPTURE=1 $(CARGO) test --release --workspace --test clients

bench: setup policies build ## Run the benchmarks and print their figures
	$(CARGO) bench --workspace

# ARGS: `--seconds N`, `--json`, and what else each of them says when it does not understand.
bench-isolation: setup policies build ## Measure what a tenant feels of noisy neighbours (fails where it is too much)
	@$(TARGET)/release/bench-isolation $(ARGS)

bench-hostile: setup policies build ## Measure what others feel of one hostile caller (as root; fails where it is too much)
	@$(TARGET)/release/bench-hostile $(ARGS)

bench-tenants: setup policies build ## Measure what 1, 10, 100 and 1,000 tenants cost
	@$(TARGET)/release/bench-tenants $(ARGS)

bench-data: setup policies build ## Measure what a document of a million users costs (fails where it takes too much memory)
	@$(TARGET)/release/bench-data $(ARGS)

bench-replay: setup policies build ## Measure how fast a log of 100,000 decisions is asked about again
	@$(TARGET)/release/bench-replay $(ARGS)

bench-restart: setup policies build ## Restart the host under the calls of a real dockerd, and count what is lost (as root)
	@$(TARGET)/release/bench-restart $(ARGS)

# For each fuzz target.
SECONDS ?= 60

fuzz: ## Attack the parsers for SECONDS (60) a target (needs nightly Rust; installs cargo-fuzz)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked --quiet cargo-fuzz
	fuzz/run $(SECONDS)

deny: ## Check licences, advisories and sources of the dependencies (needs cargo-deny)
	$(CARGO) deny check

clean: ## Remove everything that was built
	$(CARGO) clean

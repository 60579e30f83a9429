# Everything here needs Go and nothing else, but test-extension: Maven and a JDK 21.

GO      ?= go
BUILD   := build
BIN     := $(BUILD)/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Benchmarks to run (a regular expression), for how long each, in which packages.
BENCH     ?= .
BENCHTIME ?= 1s
BENCHPKGS ?= ./...
# Of a chaos run: how long it storms; on one NATS server (single), three (cluster), one
# whose disk is full now and then (disk, as root), the first two (both) or all; the seed
# of its plan; and what is left out of the protocol to see whether that is noticed:
# lease, watchdog, or nothing for the same storms with the whole protocol.
DURATION ?= 60s
PROFILE  ?= both
SEED     ?=
WITHOUT  ?=
# How long each fuzz target runs.
FUZZTIME  ?= 30s

# Of the outbox, on a JDK 17: not how fast it is, nor the client's own faults.
ON_JDK17 := !BacklogTest,!NatsLinkTest\#publishingGoesOnAfterEachRestartOfTheServer

PYICEBERG_VERSION := 0.12.0

# Servers that speak the protocols of stores.
VERSITYGW := github.com/versity/versitygw/cmd/versitygw@v1.8.0
FAKE_GCS  := github.com/fsouza/fake-gcs-server@v1.56.1
MINIO     := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
AZURITE   := azurite@3.37.0

LINT_VERSION := v2.15.0
LINT         := $(BIN)/golangci-lint

.DEFAULT_GOAL := help
.PHONY: help build test test-stores test-extension test-rescue test-polaris test-rest lint bench bench-polaris chaos demo demo-polaris up fuzz clean

help: ## Show this list
	@echo "Deckhand. What make can do:"; echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r target text; do printf '  make %-14s %s\n' "$$target" "$$text"; done

build: ## Build both binaries into build/bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./worker ./producer

test: ## Run every test (a few minutes; with -race where a C compiler is found)
	@cc=$$($(GO) env CC); if command -v $${cc%% *} >/dev/null 2>&1; \
	then set -x; CGO_ENABLED=1 $(GO) test -race -timeout 10m ./...; \
	else echo "no C compiler found: the tests run without the race detector"; set -x; $(GO) test -timeout 10m ./...; fi

# Servers are processes of their own, never linked and never shipped. One that cannot
# be installed is said, and its tests are left out, unless REQUIRE_STORES=1.
define go-server
	@$(GO) version -m $(BIN)/$(notdir $(firstword $(subst @, ,$(1)))) 2>/dev/null | grep -q '$(lastword $(subst @, ,$(1)))' || \
		{ set -x; GOBIN=$(abspath $(BIN)) $(GO) install -ldflags '-s -w' $(1); } || \
		echo "$(1) cannot be installed here: its tests are left out"
endef

test-stores: ## Test every store against a server that speaks its protocol (installs them: some minutes; REQUIRE_STORES=1 wants them all)
	@mkdir -p $(BIN)
	$(call go-server,$(FAKE_GCS))
	$(call go-server,$(VERSITYGW))
	$(call go-server,$(MINIO))
	@grep -qs '"version": "$(lastword $(subst @, ,$(AZURITE)))"' $(BUILD)/azurite/node_modules/azurite/package.json || \
		{ set -x; npm install --silent --no-audit --no-fund --prefix $(BUILD)/azurite $(AZURITE); } || \
		echo "$(AZURITE) cannot be installed here (npm): its tests are left out"
	@for package in $$(grep -rl --include='*_test.go' '"deckhand/internal/storetest"' . | xargs -n1 dirname | sort -u); do \
		tests=$$(grep -l '"deckhand/internal/storetest"' $$package/*_test.go | xargs grep -hoE '^func Test[A-Za-z0-9_]*' | grep -vx 'func TestMain' | cut -d' ' -f2 | paste -sd'|' -); \
		echo "== $$package"; \
		TEST_STORES=1 $(GO) test -count=1 -timeout 10m -run "^($$tests)$$" $$package || exit 1; \
	done

test-extension: $(BIN)/nats-server ## Test what goes into a Polaris server (deploy/polaris), with Maven and a JDK 21; its outbox also on a JDK 17 that is there
	deploy/polaris/mvn.sh -pl outbox,wiring verify
	deploy/polaris/mvn.sh --jdk 17 -pl outbox test -Dtarget=target/jdk17 '-Dtest=$(ON_JDK17)'

test-rescue: ## Test "producer rescue" on a real PostgreSQL (apt-get install postgresql)
	REQUIRE_POSTGRES=1 $(GO) test -count=1 -timeout 5m ./internal/metastore ./producer

test-polaris: ## Test a real Polaris with the extension (POLARIS_HOME=folder of quarkus-run.jar, or POLARIS_URL)
	TEST_POLARIS=1 $(GO) test -count=1 -timeout 30m -v ./internal/polaristest

bench-polaris: ## Time the drops of a real Polaris, stock and with the extension, and a backlog (POLARIS_HOME)
	BENCH_POLARIS=1 $(GO) test -count=1 -timeout 30m -v -run '^TestFiguresOfARealPolaris$$' ./internal/polaristest

test-rest: ## Test against Iceberg's own REST server (Maven, a JDK 17), with tables by PyIceberg where Python is there
	@test -x $(BUILD)/python/bin/pyiceberg || { python3 -m venv $(BUILD)/python && \
		$(BUILD)/python/bin/pip install -q --disable-pip-version-check pyiceberg==$(PYICEBERG_VERSION) pyarrow; } >/dev/null 2>&1 || \
		echo "PyIceberg cannot be installed here (python3 with venv, pip): its tables are left out"
	TEST_REST=1 $(GO) test -count=1 -timeout 5m -run Iceberg ./internal/conformance

# The server of go.mod, as a process, for tests that are not written in Go.
$(BIN)/nats-server: go.mod
	$(GO) build -o $@ github.com/nats-io/nats-server/v2

lint: $(LINT) ## Check format, vet and golangci-lint
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(LINT) run ./...

# A golangci-lint of the right version that is installed already is used.
$(LINT):
	@mkdir -p $(BIN)
	@if command -v golangci-lint >/dev/null 2>&1 && golangci-lint version --short 2>/dev/null | grep -qx '$(LINT_VERSION:v%=%)'; \
	then ln -sf "$$(command -v golangci-lint)" $@; \
	else set -x; GOBIN=$(abspath $(BIN)) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION); fi

bench: ## Run the benchmarks and set each beside its rival (BENCH=regexp, BENCHTIME=1s)
	$(GO) run ./internal/bench -bench '$(BENCH)' -benchtime $(BENCHTIME) -out $(BUILD)/bench.json $(BENCHPKGS)

chaos: ## Break a fleet of real workers and its NATS at random, and judge what came of it (SEED=7, DURATION=60s, PROFILE=single|cluster|disk|both|all, WITHOUT=lease|watchdog|nothing)
	$(GO) run ./internal/chaos -duration $(DURATION) -profile $(PROFILE) $(if $(SEED),-seed $(SEED)) $(if $(WITHOUT),-without $(WITHOUT))

demo: ## Drop a real table and watch it being purged, then kill the worker half-way
	$(GO) run ./internal/demo

demo-polaris: ## The demo with a real Polaris that has the extension (POLARIS_HOME=folder of quarkus-run.jar)
	$(GO) run ./internal/demo -polaris

up: ## Keep a worker with an embedded NATS running, to look into it with the nats CLI
	$(GO) run ./internal/demo -up

fuzz: ## Fuzz each fuzz target for a while (FUZZTIME=30s)
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -d' ' -f2); do \
			echo "== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

clean: ## Remove what was built
	rm -rf $(BUILD)

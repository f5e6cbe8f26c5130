# helios-sql: build, test, demonstrate, measure. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := build

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X main.version=$(VERSION)
# Packages tested side by side; every one that starts a PostgreSQL takes about 200 MB.
PARALLEL ?= 2
RUNS     ?= 50
FUZZTIME ?= 30s
SOAKTIME ?= 20m
PG       ?= 17

GOLANGCI_VERSION := v2.15.0
GOLANGCI         := .cache/bin/golangci-lint-$(GOLANGCI_VERSION)

.PHONY: help build deps test test-race test-pg large-value check fmt-check vet demo fuzz crash oracle soak bench bench-cdc clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## bin/helios-sql
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/helios-sql ./cmd/helios-sql

deps: ## install PostgreSQL's server programs and psql if they are missing
	@scripts/deps.sh

test: deps fmt-check vet ## everything that must pass: formatting, vet, all tests
	$(GO) test -timeout 9m -p $(PARALLEL) ./...

test-race: deps ## all tests under the race detector (needs a C compiler)
	$(GO) test -race -timeout 30m -p $(PARALLEL) ./...

test-pg: deps ## the source's tests against another PostgreSQL: make test-pg PG=17
	HELIOS_PG_BIN="$$(scripts/pg.sh $(PG))" $(GO) test -count=1 -timeout 9m ./connectors/cdc

large-value: deps ## a value of 256 MB through the source; prints the peak of resident memory
	$(GO) test -count=1 -timeout 9m -run TestLargeValue -cdc.value=256 -v ./connectors/cdc

fmt-check:
	@unformatted="$$(find . -name '*.go' -not -path './.cache/*' -print0 | xargs -0 gofmt -l)"; \
	if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...

check: fmt-check $(GOLANGCI) ## golangci-lint
	$(GOLANGCI) run ./...

$(GOLANGCI):
	@mkdir -p .cache/bin
	GOBIN="$(CURDIR)/.cache/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv .cache/bin/golangci-lint $@

demo: deps build ## a private PostgreSQL, a workload, a source, views, live answers, a crash; about a minute
	$(GO) run ./internal/demo -binary bin/helios-sql

fuzz: ## every fuzzer for FUZZTIME
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

crash: deps ## RUNS kills of the running binary, each followed by a restart and a comparison
	$(GO) test ./internal/laws -run TestCrash -crash.runs=$(RUNS) -timeout 0 -v

oracle: deps ## RUNS random workloads, every view compared with PostgreSQL's own answer
	$(GO) test ./internal/laws -run TestOracle -oracle.runs=$(RUNS) -timeout 0 -v

soak: deps ## SOAKTIME of load, definitions and faults of all kinds, then a comparison of all tables and views
	$(GO) test ./internal/laws -run TestSoak -soak.time=$(SOAKTIME) -timeout 0 -v

bench: deps ## the table of docs/performance.md
	$(GO) run ./internal/bench

bench-cdc: deps ## connectors/cdc as a library beside pg_recvlogical and COPY
	$(GO) run ./internal/bench -only cdc

clean: ## remove what was built
	rm -rf bin .cache

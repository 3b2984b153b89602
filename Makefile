# Verbs of the project; `make help` lists them. All but the few that say so
# need nothing but Go, git, make and curl.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
ADAPTERS := $(sort $(notdir $(patsubst %/main.go,%,$(wildcard plugins/*/main.go))))
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo none)
CLI      := bellcrank.example/gateway/cli
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s

# Everything but the race detector builds without cgo.
export CGO_ENABLED ?= 0

.PHONY: help build run test race test-tutorial test-lifecycle test-alertmanager test-node test-python test-kill test-receivers test-root test-cgroup isolation bench bench-languages fuzz lint check generate clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/bellcrank and bin/plugins/*, and pin the plugins
	@mkdir -p bin/plugins
	@for adapter in $(ADAPTERS); do \
		echo "build plugins/$$adapter"; \
		$(GO) build -trimpath -ldflags '-s -w' -o bin/plugins/$$adapter ./plugins/$$adapter; \
	done
	@for name in $$(bin/plugins/notifier -types); do ln -f bin/plugins/notifier bin/plugins/$$name; done
	@rm bin/plugins/notifier
	@$(GO) run ./gateway plugin lock -manifest bin/plugins
	@echo "build bellcrank $(VERSION)"
	@$(GO) build -trimpath -o bin/bellcrank -ldflags "-s -w \
		-X $(CLI).Version=$(VERSION) -X $(CLI).Commit=$(COMMIT) \
		-X $(CLI).ManifestSHA256=$$(sha256sum bin/plugins/manifest.json | cut -d ' ' -f 1)" ./gateway
	@$(GO) build -trimpath -ldflags '-s -w' -o bin/receiver ./examples/receiver

run: build ## build, then run a development gateway in ./.bellcrank
	@exec bin/bellcrank dev

test: ## run the tests (Go and git only)
	$(GO) test -shuffle=on ./...

race: ## run the tests under the race detector (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

test-tutorial: build ## run every command of docs/tutorial.md (needs bash and curl)
	.ci/tutorial

test-lifecycle: ## hold incidents to the model over 100,000 random sequences of events
	BELLCRANK_SEQUENCES=100000 $(GO) test -count=1 -run 'WhateverComes|AnyOrder' ./core
	BELLCRANK_SEQUENCES=100000 $(GO) test -count=1 -run 'TestDriver/incidents_follow_the_model' ./core/store/sqlite

test-alertmanager: ## run the tests with a real Alertmanager in front (needs prometheus-alertmanager)
	$(GO) test -count=1 -tags alertmanager -run '^TestAlertmanager' ./gateway ./core/destination/alertmanager

test-node: ## run the tests of the example adapter in Node (needs node and npm)
	cd examples/adapter-node && npm ci --ignore-scripts --no-audit --no-fund
	$(GO) test -count=1 -tags node -run '^TestNode' ./gateway

test-python: ## run the tests of the example adapter in Python (needs python3-grpcio)
	$(GO) test -count=1 -tags python -run '^TestPython' ./gateway

test-kill: ## kill a sender at each step of a delivery, twenty times each
	BELLCRANK_TEST_KILLS=20 $(GO) test -count=1 -timeout 20m -run '^TestAKillAtAnyStep' ./gateway/app

test-receivers: ## run the tests of the example receivers (needs node and python3)
	$(GO) test -count=1 -tags receivers -run '^TestReceiver' ./core/destination/webhook

test-root: ## run the sandbox's tests as an ordinary user (needs root, to become one)
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; chmod 755 "$$dir"; \
		$(GO) test -c -o "$$dir/pluginhost.test" ./core/pluginhost; chmod 755 "$$dir/pluginhost.test"; \
		mkdir "$$dir/tmp"; chown 65534:65534 "$$dir/tmp"; cd "$$dir"; \
		setpriv --reuid 65534 --regid 65534 --clear-groups env TMPDIR="$$dir/tmp" \
			./pluginhost.test -test.run 'Confined|Level|Sandbox|ReadPaths|Leak|Shim'

test-cgroup: ## run the tests of limits by cgroup in a kernel of their own (needs Debian's user-mode-linux)
	.ci/cgroup

isolation: ## print how long a plugin's senders wait beside plugins that misbehave
	$(GO) test -count=1 -timeout 60m -tags isolation -run "^TestIsolationFigures" ./gateway -v

bench: build ## print benchmarks side by side
	$(GO) test -run '^$$' -bench . -benchtime 2s ./...

bench-languages: ## print what batches gain for adapters in Node and Python (needs what their tests need)
	cd examples/adapter-node && npm ci --ignore-scripts --no-audit --no-fund
	$(GO) test -run '^$$' -bench Languages -benchtime 10x -tags node,python ./plugins/internal/bench

fuzz: ## run each fuzz target for FUZZTIME
	@grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r folder; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$folder/*_test.go | cut -d ' ' -f 2 | while read -r target; do \
			echo "fuzz $$folder $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$folder; \
		done; \
	done

lint: ## run the linters
	$(GO) run $(LINT) run ./...

check: ## format, vet, lint, generated code up to date, modules tidy
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(MAKE) lint
	$(MAKE) generate
	@git diff --exit-code -- sdk/internal/wire || { echo "generated code is not up to date"; exit 1; }

generate: ## generate code from sdk/proto
	$(GO) generate ./sdk/internal/wire/...

clean: ## remove what was built, and the development gateway's data
	rm -rf bin .bellcrank

# Extra arguments go through ARGS: make test ARGS="-run TestX ./internal/db"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run build test bench bench-full lint fuzz deps

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Run the server from source
	go run ./cmd/djauthy $(ARGS)

build: ## Build the release binary, bin/djauthy
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/djauthy ./cmd/djauthy

test: ## Run all tests with the race detector (installs what they need first)
	test/deps
	test/all $(ARGS)

bench: ## Measure the server, short run
	go run ./test/bench $(ARGS)

bench-full: ## Measure the server, full run
	go run ./test/bench -full $(ARGS)

lint: ## Check the code with golangci-lint and gofumpt
	test/lint $(ARGS)

fuzz: ## Run every fuzz target for a few seconds (FUZZ_SECONDS=90 in all)
	test/fuzz $(ARGS)

deps: ## Install what the tests need
	test/deps

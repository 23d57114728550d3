# SPDX-License-Identifier: MIT
#
# make demo    installs what it needs, runs a small study, shows table and page
# make test    installs what it needs, runs every test
# make bench   measures what is claimed to be fast
# make e2e     tests on a Kubernetes with a real node and real MiniClusters, where test/e2e/node finds
#              what it needs for these; does the demo and the tests on a bare Debian 12, and tests
#              the profiles on 13 (as root, with debootstrap)
# make kube    builds the API server and the registry that tests run, once, into the user's cache
# make images  builds the images of the operator and the agent with buildah; see hack/images
# make mpi     builds the MPI profiling library for each MPI that is installed
# make lint    go vet, gofmt, and golangci-lint where it is installed

GO ?= go
BIN := bin/ensemble
# What tests need beside the applications of the catalog.
TEST_PACKAGES := chromium gcc gfortran libopenmpi-dev libmpich-dev buildah mmdebstrap busybox-static etcd-server

.PHONY: all build demo images mpi kube test test-deps bench e2e fuzz lint generate clean

all: build

build:
	@hack/need-go
	$(GO) build -o $(BIN) ./cmd/ensemble
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/ ./cmd/ensemble-operator ./cmd/ensemble-agent

demo: build
	@hack/install $$($(BIN) doctor --missing examples/demo.yaml)
	@rm -rf runs/demo
	$(BIN) run examples/demo.yaml
	@$(BIN) report runs/demo
	@$(BIN) report runs/demo -o html > runs/demo/report.html
	@echo
	@echo "The page is $(CURDIR)/runs/demo/report.html"

mpi:
	@hack/need-go
	@$(GO) run ./mpi/internal/makempi

images:
	@hack/need-go
	@hack/images

kube:
	@hack/need-go
	@$(GO) run ./internal/kubetest/assets

test: test-deps
	@$(MAKE) --no-print-directory kube || echo "without the API server and the registry the tests that want them are skipped" >&2
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

test-deps: build
	@hack/install $(TEST_PACKAGES) $$($(BIN) doctor --missing)

bench: build
	$(GO) test -run '^$$' -bench . -benchtime 2s -timeout 60m ./...

e2e:
	hack/images
	test/e2e/node
	test/e2e/fresh 'make demo'
	test/e2e/fresh 'make test'
	SUITE=trixie test/e2e/fresh 'make test-deps && go test ./mpi/... ./measure/mpi && go test -run Profile ./run/local'

FUZZTIME ?= 30s
fuzz:
	@hack/fuzz $(FUZZTIME)

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo "golangci-lint is not installed; go vet is all"; fi

generate:
	$(GO) generate ./...

clean:
	rm -rf bin

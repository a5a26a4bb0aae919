# Tutti. `make demo` and `make test` are all that is needed; `make help` lists the rest.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
ARCHES  := arm-6 arm-7 arm64 amd64 riscv64
AUDIO   ?=

.PHONY: help build cross demo test bench lint fuzz clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

build: ## build/tutti, static
	$(BUILD) -o build/tutti ./agent/cmd/tutti

cross: $(ARCHES:%=build/tutti-linux-%) ## build/tutti-linux-ARCH for every board
	@ls -l build/tutti-linux-*

build/tutti-linux-arm-%: FORCE
	GOOS=linux GOARCH=arm GOARM=$* $(BUILD) -o $@ ./agent/cmd/tutti
build/tutti-linux-%: FORCE
	GOOS=linux GOARCH=$* $(BUILD) -o $@ ./agent/cmd/tutti
FORCE:

demo: build ## three speakers play in time for 20 s; AUDIO=FILE plays yours
	$(GO) build -o build/lab ./internal/lab
	./build/lab demo $(if $(AUDIO),"$(AUDIO)")

bench: build ## measure the figures of the README into build/bench.json; BENCH="sim lan" picks
	$(GO) build -o build/lab ./internal/lab
	./build/lab bench $(BENCH)

test: ## unit, simulation and end-to-end tests
	./internal/lab/prepare.sh
	$(GO) vet ./...
	$(GO) test -race -timeout 9m ./...

lint: ## golangci-lint with .golangci.yml
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

clean:
	rm -rf build

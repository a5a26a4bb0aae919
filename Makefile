# Tutti. `make demo` and `make test` are all that is needed; `make help` lists the rest.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The binary is to fit small boards: no HTTP/2, which nothing here speaks, and no
# inlining in packages that are off the audio path (a tenth of the size).
SMALL    := crypto/... net/... encoding/... vendor/... regexp/... text/... go/... log/... os/... mime/... compress/... fmt reflect strconv time \
	github.com/miekg/... github.com/spf13/... github.com/vishvananda/... github.com/pelletier/... github.com/coder/... github.com/hashicorp/... \
	github.com/VictoriaMetrics/... github.com/pion/... github.com/dhowden/... github.com/jfreymuth/pulse/... \
	math/big bufio html/... unicode/... internal/poll internal/fmtsort maps iter context golang.org/x/net/... github.com/google/... \
	github.com/tutti-audio/tutti/agent github.com/tutti-audio/tutti/agent/cmd/... github.com/tutti-audio/tutti/agent/config \
	github.com/tutti-audio/tutti/agent/control github.com/tutti-audio/tutti/agent/discovery github.com/tutti-audio/tutti/hw/... \
	periph.io/... github.com/tutti-audio/tutti/internal/journal github.com/tutti-audio/tutti/internal/notify \
	github.com/tutti-audio/tutti/agent/source slices io embed syscall internal/syscall/... internal/godebug internal/bisect internal/reflectlite container/... github.com/klauspost/... golang.org/x/sync/... weak unique github.com/thesyncim/gopus/internal/silk github.com/thesyncim/gopus/internal/encoder \
	github.com/hajimehoshi/... github.com/jfreymuth/vorbis/... github.com/jfreymuth/oggvorbis/... github.com/mewkiz/... strings bytes path/... io/... sort errors internal/strconv
GCFLAGS  := $(foreach p,$(SMALL),-gcflags=$(p)=-l)
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2,noasm $(GCFLAGS) -ldflags '$(LDFLAGS)'
# In the tests of these packages nothing runs beside anything else: there is no race to
# look for, and simulations of hours take a tenth of the time.
PURE     := ./sync/... ./ostp/... ./agent/mode ./agent/session/merge
RELAYBUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
ARCHES  := arm-6 arm-7 arm64 amd64 riscv64
AUDIO   ?=

.PHONY: help build cross deb test-deb test-acme image test-image test-hotspot-vm unit demo relay-demo test test-alsa-vm bench lint fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

build: ## build/tutti and build/tutti-relay, static
	$(BUILD) -o build/tutti ./agent/cmd/tutti
	$(RELAYBUILD) -o build/tutti-relay ./relay/cmd/tutti-relay

cross: $(ARCHES:%=build/tutti-linux-%) ## build/tutti-linux-ARCH for every board
	@ls -l build/tutti-linux-*

build/tutti-linux-arm-%: FORCE
	GOOS=linux GOARCH=arm GOARM=$* $(BUILD) -o $@ ./agent/cmd/tutti
build/tutti-linux-%: FORCE
	GOOS=linux GOARCH=$* $(BUILD) -o $@ ./agent/cmd/tutti
FORCE:

# Debian's name of each architecture, and ours. Packages carry the time of the commit.
DEBARCHES  := amd64=amd64 arm64=arm64 armhf=arm-7 armel=arm-6 riscv64=riscv64
DEBVERSION := $(shell systemd/deb/version.sh)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

deb: cross build ## build/deb/*.deb for amd64, arm64, armhf, armel and riscv64
	systemd/deb/common.sh build/tutti $(DEBVERSION) build/debcommon
	rm -rf build/deb
	$(foreach a,$(DEBARCHES),systemd/deb/build.sh $(firstword $(subst =, ,$a)) build/tutti-linux-$(lastword $(subst =, ,$a)) $(DEBVERSION) build/deb build/debcommon &&) true

test-deb: deb ## install, upgrade and purge the package in a chroot (needs root and mmdebstrap)
	systemd/deb/test.sh build/deb build/chroot

# A board's architecture, as Debian names it and as we do.
BOARD      ?= pi64
IMAGEDEB   := $(if $(filter pi-armv6,$(BOARD)),armel,arm64)
IMAGEARCH  := $(patsubst %=,%,$(subst $(IMAGEDEB)=,,$(filter $(IMAGEDEB)=%,$(DEBARCHES))))
IMAGEGO    := CGO_ENABLED=0 GOOS=linux GOARCH=$(firstword $(subst -, ,$(IMAGEARCH))) GOARM=6 $(GO) build -trimpath -ldflags '-s -w'
IMAGEFLAGS ?=

image: build build/tutti-linux-$(IMAGEARCH) ## build/image/*.img to flash; BOARD=pi64, pi-armv6 or generic-arm64
	image/prepare.sh
	systemd/deb/common.sh build/tutti $(DEBVERSION) build/debcommon
	rm -rf build/image/deb-$(BOARD) && systemd/deb/build.sh $(IMAGEDEB) build/tutti-linux-$(IMAGEARCH) $(DEBVERSION) build/image/deb-$(BOARD) build/debcommon
	$(IMAGEGO) -o build/image/init-$(BOARD) ./image/init
	$(IMAGEGO) -o build/image/os-$(BOARD) ./image/os
	$(GO) run ./image/build -board $(BOARD) -package build/image/deb-$(BOARD)/*.deb -init build/image/init-$(BOARD) -os build/image/os-$(BOARD) -at $(SOURCE_DATE_EPOCH) $(IMAGEFLAGS)

test-hotspot-vm: ## the set-up hotspot of an image, with radios of the kernel's simulator in QEMU; 5 to 10 minutes
	$(MAKE) image BOARD=generic-arm64 IMAGEFLAGS="-version 0.1"
	TUTTI_IMAGE=$(CURDIR)/build/image/tutti-generic-arm64-0.1.img $(GO) test -tags vm -count=1 -timeout 30m -v -run TestHotspot ./image/os

test-image: TESTBOARD = $(if $(filter command line,$(origin BOARD)),$(BOARD))
test-image: ## images in QEMU: sound, updates, power cuts; an hour; CUTS=50 cuts the power more often, BOARD picks one
	@echo "boots the images in an emulator some thirty times, one after the other: an hour"
	image/imagetest/prepare.sh && internal/vm/prepare.sh
	$(GO) test -tags vm -count=1 -v -run TestCut ./image/slot
	for board in $(or $(TESTBOARD),generic-arm64 pi64); do $(MAKE) --no-print-directory image BOARD=$$board || exit 1; done
	$(GO) test -tags vm -count=1 -timeout 10h -v -run TestImage$(addprefix /,$(TESTBOARD)) ./image/imagetest

unit: ## verify the units, and hold their exposure to 1.5 of 10
	systemd/verify.sh

demo: build ## three speakers play in time for 20 s; AUDIO=FILE plays yours
	$(GO) build -o build/lab ./internal/lab
	./build/lab demo $(if $(AUDIO),"$(AUDIO)")

relay-demo: build ## a relay, and three homes behind routers: how a stream leaves the house; 40 s
	./internal/lab/prepare.sh
	$(GO) build -o build/lab ./internal/lab
	./build/lab relay-demo

bench: build ## measure the figures of the README into build/bench.json; BENCH="sim lan" picks
	$(GO) build -o build/lab ./internal/lab
	./build/lab bench $(BENCH)

test: ## unit, simulation and end-to-end tests
	./internal/lab/prepare.sh
	$(GO) vet ./...
	$(GO) test -timeout 9m $(PURE)
	$(GO) test -race -timeout 9m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(PURE) ./internal/lab)")
	$(GO) test -race -timeout 20m ./internal/lab # real programs in real time: nothing beside them

test-acme: ## a certificate from pebble, an ACME authority for tests; fetches and builds it
	GOBIN=$(CURDIR)/build $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1
	TUTTI_PEBBLE=$(CURDIR)/build/pebble $(GO) test -count=1 -v -run TestACME ./relay/cert

test-alsa-vm: ## the ALSA tests on Debian's kernel in QEMU: amd64, arm64, arm; 5 to 10 minutes, and 260 MB to fetch once
	@echo "boots three machines without acceleration, one after the other: 5 to 10 minutes; VM_ARCH=amd64 picks one"
	./internal/vm/prepare.sh
	$(GO) test -tags vm -count=1 -timeout 30m -v -run TestALSA ./internal/vm

lint: ## golangci-lint with .golangci.yml
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

clean:
	rm -rf build

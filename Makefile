# xtoo needs Go and make; everything else below is optional and said where it is missing.

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
OUT     ?= out
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# They keep the libraries free of cgo, and so the program static.
TAGS     = containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper
LDFLAGS  = -s -w -X main.version=$(VERSION)
# The same for every go command: what one has compiled the others need not.
GOSAME = -trimpath -buildvcs=false -tags "$(TAGS)"
GOBUILD  = CGO_ENABLED=0 $(GO) build $(GOSAME) -ldflags "$(LDFLAGS)"

export GO TAGS VERSION

.PHONY: all demo test lint bench install dist clean help FORCE

all: bin/xtoo ## build the program: bin/xtoo

bin/xtoo: FORCE
	@$(GOBUILD) -o $@ ./cmd/xtoo

demo: bin/xtoo .demo/stage3.tar.xz ## build the example tree into out/: an OCI layout and SIF files
	@OUT="$(OUT)" sh scripts/demo.sh

.demo/stage3.tar.xz: FORCE
	@CGO_ENABLED=0 $(GO) run $(GOSAME) ./internal/demostage -o $@

test: ## go vet and the tests; what takes long is left to continuous integration
	@sh scripts/test.sh

lint: ## format, vet, golangci-lint, tidy modules, generated files
	@sh scripts/lint.sh

bench: bin/xtoo ## the table of costs (BENCH="-stage3-full FILE -stage3-mini FILE -stage3-arm FILE" for real stage3s)
	@CGO_ENABLED=0 $(GO) run $(GOSAME) ./internal/bench -xtoo bin/xtoo $(BENCH)

install: bin/xtoo ## the program, its man pages and completions into $(DESTDIR)$(PREFIX)
	@sh scripts/install.sh bin/xtoo "$(DESTDIR)$(PREFIX)"

dist: ## dist/: tarballs of static binaries for amd64, arm, arm64 and riscv64, the same bytes every time
	@bash scripts/dist.sh

clean: ## remove what the targets above made (the store is xtoo's own: bin/xtoo clean --all)
	rm -rf bin dist .demo .cache $(OUT)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

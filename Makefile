# make test     all tests; those of the lab too, as root on Linux
# make lab      only the packages that use the lab; nothing may be skipped
# make lint     golangci-lint, in the version of tools/go.mod
# make fmt      format everything
# make bench    benchmarks
# make fuzz     every fuzz target for FUZZTIME

GO ?= go
FUZZTIME ?= 30s
LINT = $(GO) tool -modfile=tools/go.mod golangci-lint

# The programs that the tests run, and the Debian packages that they are in.
PROGRAMS = \
	bsd-csh:csh \
	busybox:busybox-static \
	conntrack:conntrack \
	dbus-daemon:dbus \
	dropbear:dropbear-bin \
	firewalld:firewalld \
	fish:fish \
	flock:util-linux \
	ip:iproute2 \
	iptables:iptables \
	ksh93:ksh93u+m \
	miniupnpd:miniupnpd-nftables \
	mksh:mksh \
	nft:nftables \
	ssh:openssh-client \
	sshd:openssh-server \
	sudo:sudo \
	sysctl:procps \
	systemctl:systemd \
	tcsh:tcsh \
	upnpc:miniupnpc \
	zsh:zsh

# The packages whose tests use the lab, and the lab itself. Those of providers,
# which take longest, come first: two packages are tested at once.
LAB_PACKAGES = $(shell $(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep -F /internal/lab | cut -d' ' -f1 | sort -r)

.PHONY: test lab lint fmt bench fuzz packages lab-packages

test: packages
	$(GO) test -timeout 20m $(TESTFLAGS) $(LAB_PACKAGES) ./...

lab: export BTPLAN_LAB = required
lab: packages
	$(GO) test -timeout 20m -count=1 $(TESTFLAGS) $(LAB_PACKAGES)

lint:
	$(LINT) run

fmt:
	$(LINT) fmt

bench: packages
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

fuzz:
	.ci/fuzz $(FUZZTIME)

packages:
	@.ci/packages $(PROGRAMS)

lab-packages:
	@echo $(LAB_PACKAGES)

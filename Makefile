# SPDX-License-Identifier: MIT
# The front door. CMake does the work; everything here can be done by hand with cmake and ctest.
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
MAKEFLAGS += --no-print-directory
# WERROR=ON makes warnings errors, as in CI.
configure = cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(if $(WERROR),-DSHMS_WERROR=$(WERROR))
configure_all = $(configure) -DSHMS_TESTS=ON
build = cmake --build $(BUILD) -j$(JOBS)

.PHONY: all everything help demo demo-browsers demo-machines test test-all coverage fuzz test-crash test-mutants test-windows test-distros deb rpm peers bench verify \
    install uninstall doc site clean

# Whether there are tests is not even looked at, unless another target did so before.
all: ## build the library and shms into build/
	bash ci/setup --check build
	$(configure) $(if $(wildcard $(BUILD)/CMakeCache.txt),,-DSHMS_TESTS=OFF)
	$(build)

everything: ## the same, and all tests, examples, demo and benchmark
	bash ci/setup --check build
	$(configure_all)
	$(build) --target all everything

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | \
	    while IFS='|' read -r name words; do printf '  make %-12s %s\n' "$$name" "$$words"; done
	@echo "Variables: BUILD ($(BUILD)), PREFIX ($(PREFIX)), DESTDIR, JOBS ($(JOBS)), WERROR=ON, NO_INSTALL=1"

demo: ## see processes share cookies, pass a file, and survive a kill
	bash ci/setup build demo
	$(configure_all)
	$(build) --target demos
	bash demo/run.sh $(BUILD)

# Not in CI: a browser wants 300 MB more to be installed, and its start is not ours.
demo-browsers: ## see Chromium, Firefox and curl share a login; writes BUILD/demo/browsers/report.md, with pictures
	bash ci/setup build jar browser
	$(configure_all)
	$(build)
	python3 demo/browsers/share.py $(BUILD) $(BUILD)/demo/browsers

# As root: it makes network and mount namespaces.
demo-machines: ## see two machines share a dict while servers, bridges and the link are cut; with times
	bash ci/setup build test bridge
	$(configure_all)
	$(build) --target all tests
	bash demo/machines.sh $(BUILD)

test: ## the quick tests
	bash ci/setup build test
	$(configure_all)
	$(build) --target all tests
	cd $(BUILD) && ctest -L quick -j$(JOBS) --output-on-failure

test-all: ## all tests: quick, long, sanitize, package, cross, windows, binding, bridge
	bash ci/setup build demo test bridge bench verify long suites fuzz peers pascal cpp python node rust recipes windows deb rpm
	$(MAKE) everything
	cd $(BUILD) && ctest -LE browsers -j$(JOBS) --output-on-failure --output-junit tests.xml

coverage: ## which branches of src/ the tests take; each other one has its reason in doc/coverage.md
	bash ci/setup build test coverage
	bash ci/coverage $(BUILD)/coverage

test-crash: ## judge the region as a death at each instruction of each call leaves it
	bash ci/setup build test crash
	bash test/crash/run.sh $(BUILD)

fuzz: ## hostile bytes and hostile peers, for FUZZ_SECONDS (300)
	bash ci/setup build fuzz
	bash test/hostile/run.sh $(BUILD)/hostile $(or $(FUZZ_SECONDS),300)

test-mutants: ## plant bugs into a copy, and see the tests catch each
	bash ci/setup build test
	bash test/mutants/run.sh all

test-windows: ## build for Windows, and run what wine can: the port, shms.exe, Pascal
	bash ci/setup build windows pascal
	BUILD=$(BUILD) bash ci/test-windows

test-distros: ## make, demo and test in bare Debian and Ubuntu; writes doc/distros.md (root; needs the network)
	bash ci/setup build distros
	BUILD=$(BUILD) bash ci/test-distros

deb: ## Debian packages into BUILD/deb
	bash ci/setup build test deb
	bash ci/deb $(BUILD)/deb

rpm: ## RPM packages into BUILD/rpm
	bash ci/setup build rpm
	bash ci/rpm $(BUILD)/rpm

peers: ## the same crash tests on the peers; writes to RESULT if that is set
	bash ci/setup build test peers
	bash test/peers/run.sh $(BUILD) $(RESULT)

bench: ## measure, beside the peers; writes doc/bench.{txt,json,svg}
	bash ci/setup build bench
	$(configure_all)
	$(build) --target all shms_bench
	bash bench/run.sh $(BUILD) doc

verify: ## check the models of the protocols, all states of each
	bash ci/setup build verify
	bash model/run.sh full

doc: ## API pages from the headers: BUILD/doc/api.md and man pages
	$(configure)
	$(build) --target shms_doc

site: ## documents and manual pages as a static site: BUILD/site
	bash ci/setup site
	python3 ci/make-site $(BUILD)/site

install: all ## into PREFIX, below DESTDIR
	DESTDIR=$(DESTDIR) cmake --install $(BUILD) --prefix $(PREFIX)
	cp $(BUILD)/install_manifest.txt $(BUILD)/installed.txt
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi

uninstall: ## remove what make install of this BUILD put there, below DESTDIR
	DESTDIR=$(DESTDIR) bash ci/uninstall $(BUILD)/installed.txt

clean: ## remove the build directory
	rm -rf $(BUILD)

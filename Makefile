# Every command of this project. `make` alone lists them; CI runs `make test` and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

SWIFT ?= swift
# The order of a package's traits follows the hashes of a run; another order compiles anew what has
# traits, and all that depends on it.
BUILD := SWIFT_DETERMINISTIC_HASHING=1 $(SWIFT) build
# `make test FILTER=TidyTests` runs one suite.
FILTER ?=
# `make run-engine TRACE=path/to/trace.tsv.gz` replays a real trace.
TRACE ?=
# `make run-engine STORE=path/to/new/store` keeps the store; without it, it is temporary.
STORE ?=
# Tests that draw random operations run this many seeds under a sanitizer.
SANITIZE_SEEDS ?= 40
# `make bench-engine BENCH_FLAGS='--only append'`: see Benchmarks/. `make bench-daemon` takes it, too.
BENCH_FLAGS ?=

PACKAGES := liblmdb-dev zlib1g-dev libsqlite3-dev pkg-config protobuf-compiler
BENCH_PACKAGES := librocksdb-dev
SUDO := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))
SWIFT_FILES = $$(git ls-files '*.swift' | grep -vE '\.(pb|grpc)\.swift$$')

# Installs those of the Debian packages $(1) that are missing, quietly; does nothing when all are there.
define install
	@missing=; \
	if ! command -v apt-get >/dev/null; then \
	    echo "deps: no apt-get here; install yourself: $(1)"; exit 0; \
	fi; \
	for package in $(1); do \
	    status=$$(dpkg-query -W -f='$${Status}' $$package 2>/dev/null || true); \
	    [[ $$status == "install ok installed" ]] || missing="$$missing $$package"; \
	done; \
	[[ -n $$missing ]] || exit 0; \
	echo "deps: installing$$missing"; \
	$(SUDO) apt-get -qq update; \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
	    install --no-install-recommends $$missing >/dev/null
endef

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: deps
deps: ## install the C libraries that the engine and its tool link (LMDB, zlib)
	@command -v $(SWIFT) >/dev/null || \
	    { echo "deps: no swift here; install Swift 6.3 from swift.org"; exit 1; }
	$(call install,$(PACKAGES))

.PHONY: deps-bench
deps-bench: deps ## install what only the benchmarks link (RocksDB)
	$(call install,$(BENCH_PACKAGES))

.PHONY: deps-bench-daemon
deps-bench-daemon: deps ## install the daemon's peers (Redis, NATS, PostgreSQL); start none
	@Benchmarks/daemon/install-peers .build-bench-daemon

# `make run RUN_FLAGS='--directory DIR --connect-port 7190'`
RUN_FLAGS ?=
.PHONY: run
run: deps ## run everything in one process on loopback, say where it is and what to do; Ctrl-C ends it
	$(BUILD) -c release --product mailboxd
	$(BUILD) -c release --product mailboxctl
	@exec "$$($(BUILD) -c release --show-bin-path)/mailboxd" all --development $(RUN_FLAGS)

.PHONY: run-engine
run-engine: deps ## replay a trace through the engine, fetch all, compact, verify, and show the figures
	$(BUILD) -c release --product mailboxctl
	@"$$($(BUILD) -c release --show-bin-path)/mailboxctl" demo \
	    $(if $(TRACE),--trace '$(TRACE)') $(if $(STORE),--store '$(STORE)')

# `make demo TRACE=path/to/trace.tsv.gz CLUSTER=1`; DEMO_FLAGS are those of `mailboxctl deliver`.
CLUSTER ?=
DEMO_FLAGS ?=
.PHONY: demo
demo: deps ## replay a trace through real WebSocket clients, against one process, or CLUSTER=1 five roles
	$(BUILD) -c release --product mailboxd
	$(BUILD) -c release --product mailboxctl
	@bin=$$($(BUILD) -c release --show-bin-path); \
	deploy/demo --mailboxd $$bin/mailboxd --mailboxctl $$bin/mailboxctl \
	    $(if $(CLUSTER),--cluster) $(if $(TRACE),--trace '$(TRACE)') $(DEMO_FLAGS)

# `make run-cluster CLUSTER_FLAGS='--directory DIR --base-port 7100'`
CLUSTER_FLAGS ?=
.PHONY: run-cluster
run-cluster: deps ## run the store and two of each other role as processes on loopback
	$(BUILD) -c release --product mailboxd
	@deploy/run-cluster --mailboxd "$$($(BUILD) -c release --show-bin-path)/mailboxd" \
	    $(CLUSTER_FLAGS)

TEST_FLAGS := --skip-build --disable-xctest
# Suites that speak over connections run one after the other: beside the engine's, which keep every
# core busy and block, whoever waits for an answer would measure the machine. The order of a set's
# members is no chance there: a simulated world is to be the same one again.
NETWORK_SUITES := ^(StoreAPI|StoreSrv|mailboxd|mailboxctl|Services|PushSrv|ConnectSrv|MailboxClient)Tests
CRASH_TESTS := powercut killpoints faults fscuts crash-smoke
OTHER_TESTS := test-embedding test-benchmarks test-proto lint-proto test-interop test-web test-bench-daemon \
    test-bench-e2e test-bench-client test-example-chat test-model fuzz-smoke client-powercut
.PHONY: test
ifdef FILTER
test: deps build-tests
	$(SWIFT) test $(TEST_FLAGS) --filter '$(FILTER)'
else
test: deps $(CRASH_TESTS) $(OTHER_TESTS) build-tests ## build everything and run every test
	SWIFT_DETERMINISTIC_HASHING=1 $(SWIFT) test $(TEST_FLAGS) --no-parallel --filter '$(NETWORK_SUITES)'
	$(SWIFT) test $(TEST_FLAGS) --skip '$(NETWORK_SUITES)'
endif

# Binaries too: debug builds of single products would plan the build anew, and what is planned for one
# product makes `--build-tests` compile protoc, which takes minutes.
.PHONY: build-tests
build-tests: deps
	@! grep -s '^  "test"' .build/debug.yaml | grep -q '"<protoc-' || rm .build/debug.yaml
	$(BUILD) --build-tests

.PHONY: test-embedding
test-embedding: deps ## build and run the embedding example; prove that it compiles the engine alone
	Examples/Embedding/check

.PHONY: test-example-chat
test-example-chat: build-tests ## let two programs of the chat example talk through a server
	@Examples/Chat/check "$$($(BUILD) --show-bin-path)"

.PHONY: test-benchmarks
test-benchmarks: deps-bench ## run the benchmarks for a moment, so that they never rot
	$(SWIFT) run -c release --package-path Benchmarks --scratch-path .build-bench \
	    engine-bench --smoke

# `make powercut N=5000000`; `make killpoints` and `make faults` take every call with a stride of 1.
N ?= 100000
STRIDE ?= 1
# `make fscuts ROUNDS=1000`
ROUNDS ?= 20
CRASH_TEST := .build-crash/.build/release/crash-test
FILE_SHIM := .build-crash/file-shim.so
.PHONY: build-crash
build-crash: deps
	@mkdir -p .build-crash
	@ln -sfn ../Sources .build-crash/Sources
	@ln -sfn ../Tests .build-crash/Tests
	@ln -sfn ../Tests/crash-test/Package.swift .build-crash/Package.swift
	$(BUILD) -c release --package-path .build-crash --product crash-test
	clang -O2 -Wall -Wextra -Werror -shared -fPIC -o $(FILE_SHIM) Tests/crash-test/shim/file-shim.c

.PHONY: powercut
powercut: build-crash ## cut the power at N places, and hold the engine to what it promised
	$(CRASH_TEST) powercut --states $(N) --shim $(CURDIR)/$(FILE_SHIM) \
	    --keep $(CURDIR)/.build-crash/violations $(if $(SEED),--seed '$(SEED)')

.PHONY: killpoints
killpoints: build-crash ## kill the engine at every call of every operation
	$(CRASH_TEST) killpoints --stride $(STRIDE) --shim $(CURDIR)/$(FILE_SHIM)

.PHONY: faults
faults: build-crash ## let every call of every operation fail once, in four ways
	$(CRASH_TEST) faults --stride $(STRIDE) --shim $(CURDIR)/$(FILE_SHIM)

# `make kills N=10000`: without N so many.
.PHONY: kills
kills: build-crash ## kill a working engine at N (10000) random moments
	$(CRASH_TEST) kills --kills $(if $(filter file,$(origin N)),10000,$(N)) \
	    $(if $(SEED),--seed '$(SEED)')

# How many bits are flipped in the files of a store.
FLIPS ?= 100000
.PHONY: flips
flips: build-crash ## flip FLIPS (100000) bits in a store's files, and look whether a body comes out wrong
	$(CRASH_TEST) flips --flips $(FLIPS) $(if $(SEED),--seed '$(SEED)')

# What CI takes of kills, flips and simulated disks.
.PHONY: crash-smoke
crash-smoke: build-crash
	$(CRASH_TEST) kills --kills 300
	$(CRASH_TEST) flips --flips 4000
	$(CRASH_TEST) simulate --seeds 2000 --seed 1 --shim $(CURDIR)/$(FILE_SHIM)

CLIENT_STATES ?= 4000
.PHONY: client-powercut
client-powercut: build-crash build-tests ## cut the power under a client's database, at CLIENT_STATES places
	$(CRASH_TEST) client-powercut --states $(CLIENT_STATES) --shim $(CURDIR)/$(FILE_SHIM) \
	    --worker "$$($(SWIFT) build --show-bin-path)/client-crash-worker" \
	    --keep $(CURDIR)/.build-crash/violations $(if $(SEED),--seed '$(SEED)')

.PHONY: fscuts
fscuts: build-crash ## shut a real ext4 down under the engine, ROUNDS times; root alone can
	$(CRASH_TEST) filesystem --rounds $(ROUNDS)

INTEROP := .build/interop
# The generated code's outermost package has the name of a module of Python's own: as a package with
# an `__init__.py`, in a folder that is looked at first, it wins.
.PHONY: test-interop
test-interop: build-tests ## generate a Python client, and run it against the daemon
	$(call install,python3-venv)
	@mkdir -p $(INTEROP)/generated
	@[[ -x $(INTEROP)/venv/bin/python ]] || python3 -m venv $(INTEROP)/venv
	@cmp -s Tests/interop/requirements.txt $(INTEROP)/requirements.txt || { \
	    $(INTEROP)/venv/bin/pip --quiet --disable-pip-version-check install \
	        -r Tests/interop/requirements.txt; \
	    cp Tests/interop/requirements.txt $(INTEROP)/requirements.txt; }
	@$(INTEROP)/venv/bin/python -m grpc_tools.protoc --proto_path=proto \
	    --python_out=$(INTEROP)/generated --grpc_python_out=$(INTEROP)/generated \
	    $(filter mailbox/%,$(SERVICE_PROTO_FILES))
	@: > $(INTEROP)/generated/mailbox/__init__.py
	@bin=$$($(BUILD) --show-bin-path); \
	PYTHONPATH=$(INTEROP)/generated PYTHONDONTWRITEBYTECODE=1 \
	    MAILBOXD=$$bin/mailboxd MAILBOXCTL=$$bin/mailboxctl \
	    $(INTEROP)/venv/bin/python -m pytest -c Tests/interop/pytest.ini --rootdir Tests/interop \
	    Tests/interop

WEB := .build/web
# `make test-web WEB_TESTS='-k two_tabs'`
WEB_TESTS ?=
.PHONY: deps-web
deps-web: deps ## install the browser that the pages are tested in, headless (Chromium, its driver)
	$(call install,chromium chromium-driver python3-venv)

# Without a browser there is nothing to test: that is said, and is no failure.
.PHONY: test-web
test-web: build-tests ## open the pages in a browser, and kill the server behind them
	@$(MAKE) --no-print-directory deps-web || true
	@if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then \
	    echo "test-web: skipped: Debian's chromium and chromium-driver cannot be installed here"; \
	    exit 0; \
	fi; \
	mkdir -p $(WEB); \
	[[ -x $(WEB)/venv/bin/python ]] || python3 -m venv $(WEB)/venv; \
	cmp -s Tests/web/requirements.txt $(WEB)/requirements.txt || { \
	    $(WEB)/venv/bin/pip --quiet --disable-pip-version-check install \
	        -r Tests/web/requirements.txt; \
	    cp Tests/web/requirements.txt $(WEB)/requirements.txt; }; \
	PYTHONDONTWRITEBYTECODE=1 MAILBOXD=$$($(BUILD) --show-bin-path)/mailboxd \
	    $(WEB)/venv/bin/python -m pytest -c Tests/web/pytest.ini --rootdir Tests/web \
	    Tests/web $(WEB_TESTS)

.PHONY: screenshots
screenshots: ## take the pictures of both pages that the documentation shows
	@$(MAKE) --no-print-directory test-web WEB_TESTS='-k test_images' WEB_IMAGES=$(CURDIR)/docs/images

# `make simulate-client SEEDS=10000 SEED=1`: how many, and the first one. WITHOUT: what is left out of a
# world, as a failing run prints it.
SEEDS ?= 10000
SEED ?=
WITHOUT ?=
# A seed decides the order of a set's members, too.
SIMULATED_TEST = SEEDS=$(SEEDS) SEED=$(SEED) WITHOUT=$(WITHOUT) SWIFT_DETERMINISTIC_HASHING=1 \
    $(SWIFT) test --skip-build --disable-xctest --filter 'MailboxClientTests.$(1)'
.PHONY: simulate
simulate: ## run the engine, clients and services on simulated disks, networks and threads: SEEDS of each
	@mkdir -p .build-crash
	$(MAKE) --no-print-directory simulate-engine | tee .build-crash/simulate.log
	$(MAKE) --no-print-directory simulate-client | tee -a .build-crash/simulate.log
	$(MAKE) --no-print-directory simulate-services | tee -a .build-crash/simulate.log
	@awk '/^simulate\.(engine|client|services)_seeds:/ { seeds += $$2 } \
	    /^simulate\.(engine|client|services)_violations:/ { violations += $$2 } \
	    END { print "simulate.seeds: " seeds + 0; print "simulate.violations: " violations + 0 }' \
	    .build-crash/simulate.log

.PHONY: simulate-engine
simulate-engine: build-crash ## run the engine on SEEDS simulated disks, with every fault of the catalogue
	$(CRASH_TEST) simulate --seeds $(SEEDS) --shim $(CURDIR)/$(FILE_SHIM) \
	    $(if $(SEED),--seed '$(SEED)')

.PHONY: simulate-client
simulate-client: build-tests ## run clients on a simulated network: SEEDS of them, nothing lost, doubled or out of order
	$(call SIMULATED_TEST,SimulationTests/seeds)

.PHONY: simulate-services
simulate-services: build-tests ## run clients and the services as they are on a simulated thread, clock and network
	$(call SIMULATED_TEST,ServicesSimulationTests/seeds)

# Spin and a C compiler for what it writes.
MODEL_PACKAGES := spin gcc libc6-dev
.PHONY: deps-model
deps-model:
	$(call install,$(MODEL_PACKAGES))

.PHONY: model
model: deps-model ## check the model of the protocol, and that its planted mistakes are caught
	@Tests/model/check

.PHONY: test-model
test-model: deps-model
	@Tests/model/check --quick

# How long each fuzzer runs, and which one; all when empty.
SECONDS ?= 300
TARGET ?=
# The engine's; compiles nothing of gRPC.
FUZZERS := fuzz-engine
# What comes from networks: TLS and gRPC are compiled with the sanitizer, so CI leaves it out, and
# `EdgeInputTests` tries its inputs. `make fuzz FUZZERS='fuzz-engine fuzz-edge'` runs both.
# What a fuzzer is linked with: gold cannot say what it lacks, and lld comes with the compiler.
FUZZ_BUILD := --package-path Fuzz --scratch-path .build-fuzz --disable-index-store \
    --sanitize address -Xswiftc -sanitize=fuzzer \
    -Xswiftc -use-ld=lld -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld
.PHONY: fuzz-build
fuzz-build: deps
	for fuzzer in $(FUZZERS); do $(BUILD) $(FUZZ_BUILD) --product $$fuzzer; done

.PHONY: fuzz
fuzz: fuzz-build ## run every fuzzer for SECONDS (300), or TARGET alone
	@Fuzz/run '$(addprefix .build-fuzz/debug/,$(FUZZERS))' '$(SECONDS)' '$(TARGET)'

.PHONY: fuzz-smoke
fuzz-smoke: fuzz-build ## run every fuzzer on the inputs that are kept
	@Fuzz/run '$(addprefix .build-fuzz/debug/,$(FUZZERS))' 0 '$(TARGET)'

.PHONY: fuzz-seeds
fuzz-seeds: fuzz-build ## write the fuzzers' first inputs anew, with the product's encoders
	@for fuzzer in $(FUZZERS); do .build-fuzz/debug/$$fuzzer seeds Fuzz/Corpus; done

# The engine and its tests alone, in a package of its own: see Tests/sanitize/Package.swift.
SANITIZED := .build-sanitize
SANITIZED_TEST = $(SWIFT) test --package-path $(SANITIZED) --scratch-path $(SANITIZED)/$(1) \
    --sanitize $(1) --skip-build --disable-xctest
.PHONY: test-sanitize
test-sanitize: deps ## run the engine's tests under the thread, the address and the leak sanitizer
	@mkdir -p $(SANITIZED)
	@ln -sfn ../Sources $(SANITIZED)/Sources
	@ln -sfn ../Tests $(SANITIZED)/Tests
	@ln -sfn ../Tests/sanitize/Package.swift $(SANITIZED)/Package.swift
	for sanitizer in thread address; do \
	    $(BUILD) --build-tests --package-path $(SANITIZED) \
	        --scratch-path $(SANITIZED)/$$sanitizer --sanitize $$sanitizer; \
	done
	clang -O1 -shared -fPIC -o $(SANITIZED)/tsan-visible.so .ci/tsan-visible.c
	TSAN_OPTIONS=halt_on_error=1 MAILBOX_SEEDS=$(SANITIZE_SEEDS) \
	    LD_PRELOAD=$(CURDIR)/$(SANITIZED)/tsan-visible.so $(call SANITIZED_TEST,thread)
	ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$(CURDIR)/.ci/lsan.supp:print_suppressions=0 \
	    MAILBOX_SEEDS=$(SANITIZE_SEEDS) $(call SANITIZED_TEST,address)

# Every test, and the processes that they start.
SANITIZED_ALL_TEST = SWIFT_DETERMINISTIC_HASHING=1 $(SWIFT) test --scratch-path $(SANITIZED)/all-$(1) --sanitize $(1) \
    --skip-build --disable-xctest
.PHONY: test-sanitize-all
test-sanitize-all: deps ## run every test under the thread, the address and the leak sanitizer; takes an hour
	@mkdir -p $(SANITIZED)
	for sanitizer in thread address; do \
	    $(BUILD) --build-tests --scratch-path $(SANITIZED)/all-$$sanitizer --sanitize $$sanitizer; \
	done
	clang -O1 -shared -fPIC -o $(SANITIZED)/tsan-visible.so .ci/tsan-visible.c
	$(MAKE) --no-print-directory sanitized-thread & thread=$$!; failed=0; \
	$(MAKE) --no-print-directory sanitized-address || failed=1; \
	wait $$thread || failed=1; exit $$failed

.PHONY: sanitized-thread sanitized-address
sanitized-thread:
	export TSAN_OPTIONS=halt_on_error=1 MAILBOX_SEEDS=$(SANITIZE_SEEDS) \
	    LD_PRELOAD=$(CURDIR)/$(SANITIZED)/tsan-visible.so; \
	$(call SANITIZED_ALL_TEST,thread) --no-parallel --filter '$(NETWORK_SUITES)'; \
	$(call SANITIZED_ALL_TEST,thread) --skip '$(NETWORK_SUITES)'

sanitized-address:
	export ASAN_OPTIONS=detect_leaks=1 MAILBOX_SEEDS=$(SANITIZE_SEEDS) \
	    LSAN_OPTIONS=suppressions=$(CURDIR)/.ci/lsan.supp:print_suppressions=0; \
	$(call SANITIZED_ALL_TEST,address) --no-parallel --filter '$(NETWORK_SUITES)'; \
	$(call SANITIZED_ALL_TEST,address) --skip '$(NETWORK_SUITES)'

PROTO_FILES := $(shell cd proto && find . -name '*.proto' | sed 's,^\./,,' | LC_ALL=C sort)
# What devices speak has no gRPC in it, and a module of its own.
CLIENT_PROTO_FILES := $(filter mailbox/client/%,$(PROTO_FILES))
SERVICE_PROTO_FILES := $(filter-out mailbox/client/%,$(PROTO_FILES))
BUF_VERSION := 1.75.0
SWIFT_PROTO_OPTIONS := --swift_opt=Visibility=Package,UseAccessLevelOnImports=true \
    --swift_opt=FileNaming=PathToUnderscores
# Writes the Swift code of the contract into the folders StoreAPI and ClientWire of $(1), and what
# reflection tells of it into ServiceHost.
define generate
	$(BUILD) --product protoc-gen-swift
	$(BUILD) --product protoc-gen-grpc-swift-2
	@bin=$$($(BUILD) --show-bin-path); \
	services=$(1)/StoreAPI/Generated client=$(1)/ClientWire/Generated; \
	reflection=$(1)/ServiceHost/Reflection; \
	rm -rf $$services $$client; mkdir -p $$services $$client $$reflection; \
	protoc --proto_path=proto --include_imports \
	    --descriptor_set_out=$$reflection/contract.binpb $(SERVICE_PROTO_FILES); \
	protoc --proto_path=proto \
	    --plugin=$$bin/protoc-gen-swift --plugin=$$bin/protoc-gen-grpc-swift-2 \
	    --swift_out=$$services $(SWIFT_PROTO_OPTIONS) \
	    --grpc-swift-2_out=$$services \
	    --grpc-swift-2_opt=Visibility=Package,UseAccessLevelOnImports=true \
	    --grpc-swift-2_opt=FileNaming=PathToUnderscores \
	    $(SERVICE_PROTO_FILES); \
	protoc --proto_path=proto --plugin=$$bin/protoc-gen-swift \
	    --swift_out=$$client $(SWIFT_PROTO_OPTIONS) $(CLIENT_PROTO_FILES)
endef

.PHONY: proto
proto: deps ## generate the Swift code of the network contract anew
	$(call generate,Sources)

.PHONY: test-proto
test-proto: deps ## prove that the committed code of the network contract is current
	$(call generate,.build/contract)
	for folder in StoreAPI/Generated ClientWire/Generated \
	    ServiceHost/Reflection/contract.binpb; do \
	    diff -r .build/contract/$$folder Sources/$$folder || \
	        { echo "the generated code is not current: run 'make proto' and commit"; exit 1; }; \
	done

.PHONY: lint-proto
lint-proto: deps ## check the style of the network contract
	$(call install,python3-venv)
	@[[ -x .build/buf/bin/python ]] || python3 -m venv .build/buf
	@.build/buf/bin/pip --quiet --disable-pip-version-check install buf-bin==$(BUF_VERSION)
	cd proto && ../.build/buf/bin/buf lint

.PHONY: lint
lint: ## check the format of every Swift file
	$(SWIFT) format lint --strict --parallel $(SWIFT_FILES)

.PHONY: format
format: ## rewrite every Swift file in the house format
	$(SWIFT) format -i --parallel $(SWIFT_FILES)

.PHONY: bench-engine
bench-engine: deps-bench ## measure the engine against LMDB and RocksDB in one run
	$(SWIFT) run -c release --package-path Benchmarks --scratch-path .build-bench \
	    engine-bench $(BENCH_FLAGS)

.PHONY: bench-daemon
bench-daemon: deps-bench-daemon ## measure the daemon against Redis, NATS and PostgreSQL in one run
	$(BUILD) -c release --product mailboxd
	$(BUILD) -c release --product daemon-bench
	@bin=$$($(BUILD) -c release --show-bin-path); \
	Benchmarks/daemon/bench.py $(BENCH_FLAGS) --mailboxd $$bin/mailboxd \
	    --daemon-bench $$bin/daemon-bench

.PHONY: test-bench-daemon
test-bench-daemon: build-tests ## run the daemon's benchmark for a moment, without its peers
	@bin=$$($(BUILD) --show-bin-path); \
	Benchmarks/daemon/bench.py --smoke --only mailboxd --mailboxd $$bin/mailboxd \
	    --daemon-bench $$bin/daemon-bench

.PHONY: bench-e2e
bench-e2e: deps ## measure the whole path, from device to device, with WebSocket clients
	$(BUILD) -c release --product mailboxd
	$(BUILD) -c release --product e2e-bench
	@bin=$$($(BUILD) -c release --show-bin-path); \
	Benchmarks/e2e/bench.py $(BENCH_FLAGS) --mailboxd $$bin/mailboxd --bench $$bin/e2e-bench

.PHONY: test-bench-e2e
test-bench-e2e: build-tests ## run the benchmark of the whole path for a moment
	@bin=$$($(BUILD) --show-bin-path); \
	Benchmarks/e2e/bench.py --smoke --mailboxd $$bin/mailboxd --bench $$bin/e2e-bench

.PHONY: bench-client
bench-client: deps ## measure the client library: a drain of 100 000 messages, send against a sync
	$(BUILD) -c release --product mailboxd
	$(BUILD) -c release --product client-bench
	@"$$($(BUILD) -c release --show-bin-path)/client-bench" $(BENCH_FLAGS)

.PHONY: test-bench-client
test-bench-client: build-tests ## run the client's benchmark for a moment
	@"$$($(BUILD) --show-bin-path)/client-bench" --messages 500 --sends 50

DOCUMENTED := Mailbox StoreEngine MailboxClient
SYMBOLS := $(CURDIR)/.build-docs/symbols
.PHONY: docs
docs: deps ## write the public interface's pages into .build-docs, one folder a module
	mkdir -p $(SYMBOLS)
	for target in StoreEngine MailboxClient; do \
	    $(BUILD) --target $$target --scratch-path .build-docs \
	        -Xswiftc -emit-symbol-graph \
	        -Xswiftc -emit-symbol-graph-dir -Xswiftc $(SYMBOLS) \
	        -Xswiftc -symbol-graph-minimum-access-level -Xswiftc public; \
	done
	for module in $(DOCUMENTED); do \
	    rm -rf .build-docs/$$module.symbols .build-docs/$$module; \
	    mkdir .build-docs/$$module.symbols; \
	    find $(SYMBOLS) \( -name "$$module.symbols.json" -o -name "$$module@*.symbols.json" \) \
	        -exec cp {} .build-docs/$$module.symbols \; ; \
	    catalog=Sources/$$module/$$module.docc; \
	    docc convert $$([[ ! -d $$catalog ]] || echo $$catalog) \
	        --additional-symbol-graph-dir .build-docs/$$module.symbols \
	        --fallback-display-name $$module --fallback-bundle-identifier $$module \
	        --output-path .build-docs/$$module; \
	done

.PHONY: clean
clean: ## remove everything that was built
	rm -rf .build .build-*

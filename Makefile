# The commands of this repository. `make up` and `make test` each take a fresh clone on a fresh machine all the way.
# CARGO_TARGET_DIR and the other variables of cargo are honoured.

CARGO ?= cargo
# Further arguments for `touchstream up`, such as ARGS="--data-dir /tmp/trial".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help tools test-tools up test format-check fmt lint dependencies tests build pin-parts browser-files schedules chaos-ingest chaos-processor chaos-sink regressions-simulated alert-delay hostile bench-accept bench-ingest bench-processor bench-queries bench-regressions bench-sink fuzz

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## Check the tools that are needed, and install what is missing where that is possible
	@./scripts/check-tools

test-tools: ## Check the tools that tests need beyond these, in the same way
	@./scripts/check-tools test

build: tools ## Build the binary
	$(CARGO) build --release --locked --bin touchstream

up: build ## Build and run everything on this machine, with demo data
	@$(CARGO) run --quiet --release --locked --bin touchstream -- up --demo $(ARGS)

test: test-tools format-check lint dependencies tests ## Run every check and test that CI runs

format-check: ## Check the formatting
	$(CARGO) fmt --all --check

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Run clippy; a warning fails
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

dependencies: ## Check licences, bans and sources of all dependencies against deny.toml
	./scripts/check-dependencies

tests: ## Run all tests
	$(CARGO) test --release --locked --workspace --no-fail-fast

pin-parts: ## Renew the hashes of Kafka's jars and of the ClickHouse engine after a version was changed
	./scripts/pin-parts

browser-files: ## Make touchstream.min.js and the widget's from ingest/browser/src, with the pinned minifier
	RENEW=1 $(CARGO) test --release --locked -p touchstream-ingest --test browser served_files

# Slow suites, run before an issue is resolved; their results stand in docs/results.
SCHEDULES ?= 20000
schedules: ## Run the processor's seeded schedules, SCHEDULES=20000 of them
	SCHEDULES=$(SCHEDULES) $(CARGO) test --release --locked -p touchstream-processor --test processor every_schedule

chaos-ingest: ## Never a false 202: 500,000 events while Kafka and ingest are killed again and again; SEED=20261122
	$(CARGO) test --release --locked -p touchstream-ingest --test durability -- --ignored --nocapture --exact chaos::never_a_false_202_among_half_a_million

CHAOS_SECONDS ?= 600
chaos-processor: ## Three processors killed, stopped, started at random while events come, CHAOS_SECONDS=600 long; SEED=n for the same again
	CHAOS_SECONDS=$(CHAOS_SECONDS) $(CARGO) test --release --locked --test pipeline -- --ignored --nocapture --exact processes::three_instances_under_many_faults_equal_the_recomputation

CHAOS_OUTAGE_SECONDS ?= 600
chaos-sink: ## Exactly once: 2 million events, 30 kills of sinks and ClickHouse, swallowed answers, ClickHouse away for CHAOS_OUTAGE_SECONDS=600; SEED=n
	CHAOS_OUTAGE_SECONDS=$(CHAOS_OUTAGE_SECONDS) $(CARGO) test --release --locked -p touchstream-sink --test chaos -- --ignored --nocapture --exact two_million_events

regressions-simulated: ## A simulated month in which everything goes wrong that the simulator knows: each is told, an outage of ingest is not
	$(CARGO) test --release --locked --test pipeline -- --ignored --nocapture --exact regressions::what_the_simulator_breaks_is_found_and_an_outage_of_ingest_is_not_taken_for_it

alert-delay: ## From customers who give up to the message on call, with the waiting times of deploy/prometheus: within 90 s, and its end once
	DEPLOYED_TIMES=1 $(CARGO) test --release --locked --test pipeline -- --nocapture --exact regressions::a_regression_wakes_its_owner_once_and_tells_its_end_once

hostile: ## Every attack at once on ingest: memory flat, an honest client's p99 within twice its normal, without a floor
	HOSTILE_STRICT=1 $(CARGO) test --release --locked -p touchstream-ingest --test http attacks_cost -- --nocapture

bench-processor: ## The processor beside Kafka Streams and a bare loop, its state and latency: docs/results/2026-11-22-processor-speed.md
	BENCH_PAGE=$(CURDIR)/docs/results/2026-11-22-processor-speed.md $(CARGO) bench --locked --bench processor

bench-ingest: build ## How fast ingest is, beside a bare handler, in 5 minutes: docs/results/2026-11-22-ingest-speed.md
	@command -v wrk >/dev/null || apt-get install -y -q --no-install-recommends wrk
	BENCH_PAGE=$(CURDIR)/docs/results/2026-11-22-ingest-speed.md $(CARGO) bench --locked --bench ingest

bench-sink: build ## The sink beside ClickHouse's own Kafka tables and rows already encoded, memory, freshness: docs/results/sink-latest.md
	BENCH_BINARY=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/touchstream BENCH_PAGE=$(CURDIR)/docs/results/sink-latest.md \
		$(CARGO) bench --locked -p touchstream-sink --bench sink

bench-regressions: ## How often the rules wake somebody for nothing, and what they find how soon, on 200 simulated shops: docs/results/2026-11-23-regressions.md
	BENCH_PAGE=$(CURDIR)/docs/results/2026-11-23-regressions.md $(CARGO) bench --locked -p touchstream-processor --bench regressions

bench-queries: ## How fast dashboards' questions are answered on thirty days: docs/results/2026-11-22-query-speed.md
	BENCH_PAGE=$(CURDIR)/docs/results/2026-11-22-query-speed.md $(CARGO) test --release --locked -p touchstream-sink --test queries -- --ignored --nocapture --exact speed::every_panel_is_fast

bench-accept: ## What an event costs ingest between its bytes and Kafka's queue, in microseconds
	$(CARGO) test --release --locked -p touchstream-ingest --lib -- --ignored --nocapture --exact accept::cost::microseconds_an_event

FUZZ_SECONDS ?= 120
fuzz: ## Fuzz everything that reads bytes from outside, FUZZ_SECONDS=120 each
	FUZZ_SECONDS=$(FUZZ_SECONDS) ./scripts/fuzz

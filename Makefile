# Every recipe is one script of ci/, which can be run alone as well.
export LC_ALL ?= C.UTF-8

.DEFAULT_GOAL := test
.PHONY: setup demo test fmt loom faults stress sanitize fuzz soak model otp-suite otp-suite-leak matrix
.PHONY: bench bench-quick bench-memory bench-hold bench-range bench-engines profile scale clean

# Installs Erlang and Elixir on Debian where they are missing.
setup:
	@ci/setup.sh

# Loads this machine's package database into Etsunami and into :ets, and compares.
demo: setup
	@ci/demo.sh $(ARGS)

# Everything that must hold before a change is merged.
test: setup
	@ci/fmt.sh
	@ci/tidy.sh
	@ci/clippy.sh
	@ci/rust-test.sh
	@ci/loom.sh
	@ci/elixir.sh
	@ci/interface.sh
	@ci/model.sh
	@ci/dependency.sh
	@ci/otp-suite.sh
	@ci/otp-suite-leak.sh
	@ci/faults.sh
	@ci/smoke.sh

fmt:
	@cargo fmt --all
	@cargo fmt --all --manifest-path benches/Cargo.toml
	@cargo fmt --all --manifest-path ci/tidy/Cargo.toml
	@mix format

# All interleavings, also those of the deliberately weakened protocols.
loom:
	@ci/loom.sh
	@ci/loom-weakened.sh

# Panics, failing allocations and delays in the middle of calls; ARGS="options of mix test", DELAYS=64
faults: setup
	@ci/faults.sh $(ARGS)

# More histories, races and loom on crowded cores; COUNT=12500 ROUNDS=3 LOOM=
stress: setup
	@ci/stress.sh

# AddressSanitizer over the tests of the core and a part of those in the VM; ARGS="test files"
sanitize: setup
	@ci/sanitize.sh $(ARGS)

# Each fuzz target for a minute; FUZZ_SECONDS=60 ARGS="term_order api"
fuzz: setup
	@ci/fuzz.sh $(ARGS)

# A mixed load, with a chart of memory and latency; MINUTES=30
soak: setup
	@ci/soak.sh

# Random programs against :ets; SEED=1 COMMANDS=1000000, and PROGRAM=17 for one that failed.
model: setup
	@ci/model.sh

# OTP's own ETS suites against Etsunami; ARGS="case1 case2", SUITES="...", FULL=1, OTP_SRC=dir.
otp-suite: setup
	@ci/otp-suite.sh $(ARGS)

# Whether these suites notice a leak of one object.
otp-suite-leak: setup
	@ci/otp-suite-leak.sh

# Tests and OTP's suites on this machine's release and on that of Debian trixie, in a root of its
# own; RELEASES="here trixie", FULL=1. As root.
matrix: setup
	@ci/matrix.sh

# Everything against :ets, a quarter of an hour; ARGS="--seed 2 --sections matrix,load".
bench: setup
	@ci/bench.sh full $(ARGS)

# Single-process speed against :ets, a few minutes.
bench-quick: setup
	@ci/bench.sh quick $(ARGS)

# Resident memory of a million objects against :ets.
bench-memory: setup
	@ci/bench.sh memory $(ARGS)

# How long a call holds a scheduler, against :ets.
bench-hold: setup
	@ci/bench.sh hold $(ARGS)

# select with a range in its guards, over the size of the table and of the result.
bench-range: setup
	@ci/bench.sh range $(ARGS)

# The engines against other concurrent maps of Rust; ARGS=short. Writes benches/RESULTS.md.
bench-engines:
	@ci/bench-engines.sh $(ARGS)

# Instructions of a lookup and an insert, by layer. Writes benches/profile.
profile: setup
	@ci/profile.sh

# Links a static program that measures how the engines scale; ARGS=run starts it.
scale:
	@ci/scale.sh $(ARGS)

clean:
	@rm -rf _build priv target fuzz/target fuzz/artifacts test/otp/out* .demo .matrix

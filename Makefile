# Sealwright. `make demo` runs the main job, `make test` the tests; both do all their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test-softhsm fuzz test-packages demo-packages install demo test lint bench proof test-pythons

install: $(STAMP)

# What Debian brings: installed when run as root, named in one line otherwise.
test-packages:
	@$(PYTHON) packaging/system_packages.py

demo-packages:
	@$(PYTHON) packaging/system_packages.py demo

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) packaging/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

test: test-packages install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 tests

# The same tests, with every server's root wrapping key in SoftHSM.
test-softhsm: test-packages install
	SEALWRIGHT_TEST_SEAL=pkcs11 $(BIN)/pytest -n 2 tests

demo: demo-packages install
	$(BIN)/python -m demo.run

# Coverage-guided fuzzing of every parser, or of those named: make fuzz SECONDS=60 TARGET="smime-message cms-decrypt"
SECONDS ?= 60
TARGET ?=
fuzz: install
	PYTHONPATH=tests $(BIN)/python -m fuzz.run --seconds $(SECONDS) $(TARGET)

lint: install
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/mypy
	$(BIN)/lint-imports

# Rates beside their references; BENCH="mail parse" picks some, BENCH="--long" measures what an organization of ten thousand
# people has, JSON=FILE keeps the figures.
bench: install
	$(BIN)/python -m bench.run $(BENCH) $(if $(JSON),--json $(JSON))

# The tests on Python 3.13 and 3.14, in chroots of the Debian releases that have them; root, debootstrap and time are needed.
# PYTHONS="--python 3.13" picks one; --whole installs every part that tests drive, too.
test-pythons:
	$(PYTHON) packaging/test_pythons.py $(PYTHONS)

# Everything that holds for chance - examples, races, restores - again and again, and a kill before every write of every flow;
# takes two hours; then the benchmarks of a large organization, as long again. ROUNDS=3 is a taste.
proof: install
	SEALWRIGHT_PROOF_ROUNDS=$(or $(ROUNDS),25) $(BIN)/pytest -n 2 -m proof tests
	$(BIN)/python -m bench.run --long

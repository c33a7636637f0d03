# Two commands: `make lab` to take the course, `make test` to check everything.
# Options: NO_BROWSER=1, PORT=8888, STORED=1; TARGET, ACCOUNT, PREFIX, BOUNDARY, PROFILE, SEED and SCALE as the
# README says.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST = $(BIN)/python -m pytest -p tests.early -n $(or $(PROCESSES),6) --durations 12 --deselect notebooks/
BENCH := .venv-bench
FOREIGN := .venv-foreign
SITE := .venv-site
# Every Python program of the environment finds this folder, and with it `helpers`.
FIND_HELPERS := import os, pathlib, sysconfig; \
  pathlib.Path(sysconfig.get_path("purelib"), "course.pth").write_text(os.getcwd() + "\n")

export SQS_COURSE_TARGET := $(or $(TARGET),$(SQS_COURSE_TARGET))
export SQS_COURSE_ACCOUNT := $(or $(ACCOUNT),$(SQS_COURSE_ACCOUNT))
export SQS_COURSE_PREFIX := $(or $(PREFIX),$(SQS_COURSE_PREFIX))
export SQS_COURSE_BOUNDARY := $(or $(BOUNDARY),$(SQS_COURSE_BOUNDARY))
export SQS_COURSE_PROFILE := $(or $(PROFILE),$(SQS_COURSE_PROFILE))
export SQS_COURSE_SEED := $(or $(SEED),$(SQS_COURSE_SEED))
export SQS_COURSE_SCALE := $(or $(SCALE),$(SQS_COURSE_SCALE))
export SQS_CLASS_PORT := $(or $(PORT),$(SQS_CLASS_PORT))
export SQS_CLASS_SEATS := $(or $(SEATS),$(SQS_CLASS_SEATS))

.PHONY: lab test setup notebooks rehearse policies ledger bench foreign site slides pictures look lock format clean
.PHONY: quick class class-end class-measure board room-test browser

lab: setup
	@$(BIN)/python -m helpers.lab $(if $(NO_BROWSER),--no-browser) $(if $(PORT),--port $(PORT)) \
	  $(if $(STORED),--stored)

# nbval checks each notebook alone, on an empty local AWS; the tests run them in rows on one local AWS
# too. All of them in their order, which is one chain, CI runs under nbval at night. mypy runs among
# the tests. What Python compiles is kept: each of the many processes would do it again.
unexport PYTHONDONTWRITEBYTECODE

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(PYTEST)

# While you work: all but what the marker `slow` names, above all the runs of whole notebooks.
quick: setup
	$(PYTEST) -m "not slow"

# Each time: a checkout that was moved is found again, and another PYTHON is not passed over.
setup: $(READY)
	@has=$$($(BIN)/python -c 'import platform; print(platform.python_version())') \
	|| { echo "The Python of $(VENV) is gone: type make clean, then the same again." >&2; exit 1; }; \
	[ "$(origin PYTHON)" = file ] || { \
	  wanted=$$("$(PYTHON)" -c 'import platform; print(platform.python_version())') || exit 1; \
	  [ "$$wanted" = "$$has" ] || { \
	    echo "The environment $(VENV) has Python $$has, and PYTHON=$(PYTHON) is $$wanted: type" \
	      "make clean, then the same again." >&2; exit 1; }; }
	@$(BIN)/python -c '$(FIND_HELPERS)'

$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	@echo "Making the environment $(VENV); this takes a minute or two."
	@"$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

# A class server: learners open one address, and have a server, a kernel and a local AWS each.
class: setup
	@$(BIN)/python -m helpers.room start --python "$(PYTHON)"

# List all that a class has made, ask, and remove it.
class-end: setup
	@$(BIN)/python -m helpers.room end $(if $(YES),--yes)

# The board alone, for learners who have the course on computers of their own.
board: setup
	@$(BIN)/python -m helpers.room.board $(if $(PORT),--port $(PORT))

# All lessons in a real browser, one after the other, with screenshots.
browser: setup
	BROWSER_ALL=1 BROWSER_SCREENSHOTS=screenshots $(BIN)/python -m pytest -n 0 tests/browser

# A class with learners who try to get at what is another's. It needs Linux and root.
room-test: setup
	ROOM_TEST=1 $(BIN)/python -m pytest -n 0 tests/room

# Thirty scripted learners at once, and a table of times and memory.
class-measure: setup
	$(BIN)/python -m tests.room.thirty $(NOTEBOOKS)

# Run all notebooks on a fresh local AWS and store their outputs.
notebooks: setup
	$(BIN)/python -m tests.store_outputs

# Run all notebooks on a rehearsal of AWS, once for each seed. It takes about an hour.
rehearse: setup
	$(BIN)/python -m tests.rehearse $(if $(PROFILE),--profile $(PROFILE)) \
	  $(SEED:%=--seed %) $(if $(SCALE),--scale $(SCALE))

# Record what the notebooks call, write data/policies, and leave out each action in turn.
policies: setup
	LOCALAWS_RETRY_PAUSE_S=2 SQS_COURSE_LIVE=off MPLBACKEND=agg $(BIN)/python -m tests.policies $(ACTIONS)

# Run the conformance tests on plain moto too, and write CONFORMANCE.md.
ledger: setup
	$(BIN)/python -m tests.conformance.ledger

# Measure the local AWS beside plain moto and MiniStack, which has an environment of its own.
bench: setup $(BENCH)/.ready
	$(BIN)/python -m tests.bench

# All lessons as pages, for readers without Python: site/, made of what is stored. Nothing is run.
site: $(SITE)/.ready
	@$(SITE)/bin/python -m docs.site

# Draw the diagrams anew, and take the README's pictures from the site. It needs Chromium or Chrome.
pictures: setup $(SITE)/.ready
	$(BIN)/python -m docs.site.diagrams
	$(SITE)/bin/python -m docs.site
	$(SITE)/bin/python -m docs.site.browser

# Slides to show in class: a deck for each lesson, or LESSON=04. Nothing is run.
slides: $(SITE)/.ready
	@$(SITE)/bin/python -m docs.site.decks $(LESSON)

# What people would stumble over on pages, slides and a class's board: axe, and what is too wide.
look: setup site
	@$(SITE)/bin/python -m docs.site.decks
	$(SITE)/bin/python -m docs.site.look $(BIN)/python

$(BENCH)/.ready: tests/bench/requirements.lock
$(SITE)/.ready: docs/site/requirements.lock
$(BENCH)/.ready $(SITE)/.ready:
	@echo "Making the environment $(@D); this takes a minute or two."
	@"$(PYTHON)" -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Let clients that nobody here wrote use a local AWS. Node.js has to be there.
foreign: setup $(FOREIGN)/.ready
	$(BIN)/python -m pytest -n 0 tests/foreign/clients.py

$(FOREIGN)/.ready: tests/foreign/requirements.lock tests/foreign/package-lock.json
	@"$(PYTHON)" -m venv $(FOREIGN)
	@$(FOREIGN)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@cp tests/foreign/package.json tests/foreign/package-lock.json $(FOREIGN)
	@npm --prefix $(FOREIGN) ci --silent --no-audit --no-fund
	@touch $@

# Pin the newest versions of everything that pyproject.toml names.
lock:
	uv pip compile pyproject.toml --group test --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock
	uv pip compile tests/bench/requirements.in --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet \
	  -o tests/bench/requirements.lock
	uv pip compile tests/foreign/requirements.in --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet \
	  -o tests/foreign/requirements.lock
	npm --prefix tests/foreign update --package-lock-only --silent --no-audit --no-fund
	uv pip compile --group pyproject.toml:site -c requirements.lock --universal \
	  --python-version 3.11 --upgrade --no-emit-index-url --custom-compile-command "make lock" \
	  --quiet -o docs/site/requirements.lock
	uv pip compile helpers/room/requirements.in --universal --python-version 3.11 --upgrade \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet \
	  -o helpers/room/requirements.lock
	npm --prefix helpers/room update --package-lock-only --silent --no-audit --no-fund

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	-$(BIN)/python -m helpers.localaws stop
	rm -rf $(VENV) $(BENCH) $(FOREIGN) $(SITE) site slides

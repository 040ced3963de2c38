# SPDX-License-Identifier: BSD-2-Clause
#
# The door. Meson and Ninja do the work, in build/; everything here can be done with them alone.
#
#   make            the library and the command line: build/extant, build/libextant.{so,a}
#   make demo       the first minute: an image, a write, a crash, a recovery, and what each step does
#   make test       every test that ends soon; the last line counts them
#   make soak       the same and the long ones
#   make bench      speed, beside Linux on a loop mount where that is possible
#   make fuzz       mutated images for as long as SECONDS says
#   make lint       layers, licence lines, lengths, format
#   make install    to PREFIX (/usr/local), below DESTDIR if given
#   make clean      removes the build directories
#
# Each first installs the Debian packages that are missing (packaging/debian-packages).

PREFIX	?= /usr/local
SECONDS	?= 60
NINJA	= ninja

all: build

packages:
	@packaging/install-packages

build/build.ninja: | packages
	meson setup build

# Unit tests and those of the command line run with the sanitizers for addresses and undefined
# behaviour, and with costly assertions,
build-sanitize/build.ninja: | packages
	meson setup build-sanitize -Db_sanitize=address,undefined -Dslow_asserts=true

# and unit tests once more with the one for threads.
build-thread/build.ninja: | packages
	meson setup build-thread -Db_sanitize=thread -Dslow_asserts=true

# Counts what is run, for the soak; the compiler warns of more when it counts.
build-coverage/build.ninja: | packages
	meson setup build-coverage -Db_coverage=true -Dwerror=false

build: packages build/build.ninja
	$(NINJA) -C build

build-sanitize: packages build-sanitize/build.ninja
	$(NINJA) -C build-sanitize

build-thread: packages build-thread/build.ninja
	$(NINJA) -C build-thread

build-coverage: packages build-coverage/build.ninja
	$(NINJA) -C build-coverage extant

demo: build
	tests/demo/demo build/extant

test: build build-sanitize build-thread
	tests/run-tests build-sanitize:unit,cli,concurrent build-thread:unit,concurrent build:!unit,!soak,!bench

soak: build build-sanitize build-thread build-coverage
	tests/run-tests build-sanitize:unit,cli,concurrent build-thread:unit,concurrent build-coverage:branches build:!unit,!bench

bench: build
	tests/run-tests build:bench

fuzz: build-sanitize
	tests/fuzz/fuzz build-sanitize $(SECONDS)

lint: packages build/build.ninja
	tests/run-tests build:lint

install: build
	meson configure build -Dprefix=$(abspath $(PREFIX))
	DESTDIR=$(DESTDIR) meson install -C build

clean:
	rm -rf build build-sanitize build-thread build-coverage

.PHONY: all packages build build-sanitize build-thread build-coverage demo test soak bench fuzz lint install clean

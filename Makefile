# Mapwright. `make help` lists the targets.
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

CC ?= cc
ifeq ($(origin CC),default)
CC := cc
endif
B ?= build
# what the compiler is told beyond the project's own flags
CFLAGS ?= -O2 -g
EXTRA ?=
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifdef WERROR
WARN += -Werror
endif
STD := -std=c11
INC := -Iinclude
CORE_FLAGS := $(STD) $(WARN) -ffreestanding -fPIC -fvisibility=hidden -Isrc $(INC)
HOST_FLAGS := $(STD) $(WARN) -D_GNU_SOURCE -fPIC -fvisibility=hidden $(INC)
OBJCOPY ?= objcopy
LD ?= ld
AR ?= ar

CORE_SRC := $(wildcard src/*/*.c)
LIVE_SRC := $(wildcard live/*.c)
TOOL_SRC := $(wildcard tools/*.c tools/*/*.c)
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
CORE_OBJ := $(call obj,$(CORE_SRC))
LIVE_OBJ := $(call obj,$(LIVE_SRC))
TOOL_OBJ := $(call obj,$(TOOL_SRC))

.PHONY: all help core-check demo test clean install
all: $(B)/mapwright $(B)/mapwright-conform $(B)/mapwright-probe $(B)/libmapwright.a $(B)/libmapwright.so $(B)/core.ok

help:
	@sed -n 's/^## //p' Makefile

## make            build/mapwright, build/libmapwright.a, build/libmapwright.so
## make demo       install what is missing, build, check real programs
## make test       install what is missing, run every test
## make examples   the programs in examples/
## make bench      tables of what calls cost, beside the kernel or other peers (bench/results/)
## make test-kernels   the engine against other Linux versions, in QEMU
## make install    into PREFIX (/usr/local), below DESTDIR if that is set
## make clean      remove build/
## Variables: CC=gcc|clang  CFLAGS="-O2 -g"  EXTRA="-fsanitize=..."  WERROR=1  B=build

$(B)/obj/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CORE_FLAGS) $(CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HOST_FLAGS) $(CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

# One relocatable object whose private names are local: an embedder's own
# `tree_insert` never meets ours.
$(B)/core.o: $(CORE_OBJ)
	$(LD) -r -o $@.tmp $^
	$(OBJCOPY) --localize-hidden $@.tmp $@
	@rm -f $@.tmp

$(B)/libmapwright.a: $(B)/core.o $(LIVE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/libmapwright.so: $(CORE_OBJ) $(LIVE_OBJ)
	$(CC) $(EXTRA) -shared -Wl,-soname,libmapwright.so.0 -o $@ $^ -pthread

# The core is freestanding: linked together, it needs nothing but mem*.
$(B)/core.ok: $(B)/core.o
	@if [ -n '$(findstring -fsanitize,$(EXTRA) $(CFLAGS))$(findstring --coverage,$(EXTRA) $(CFLAGS))' ]; then :; else \
	 bad=$$(nm -u $(B)/core.o | awk '{print $$2}' | grep -Ev '^(mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_)$$'); \
	 if [ -n "$$bad" ]; then echo "core.ok: src/ needs more than mem*: $$bad" >&2; exit 1; fi; fi
	@touch $@

$(B)/mapwright: $(TOOL_OBJ) $(B)/libmapwright.a
	$(CC) $(EXTRA) -o $@ $(TOOL_OBJ) $(B)/libmapwright.a

include tools/conform/conform.mk

# The scripts install what is missing, build and run; they also work without make.
demo:
	@MAKE='$(MAKE)' B='$(B)' CC='$(CC)' scripts/demo

test:
	@MAKE='$(MAKE)' B='$(B)' CC='$(CC)' scripts/test

# each is a theme of its own, and prints a table; counts is for scripts/counts
BENCHES := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
$(B)/bench/%: bench/%.c $(wildcard bench/*.h include/mapwright/*.h) $(B)/libmapwright.a
	@mkdir -p $(@D)
	$(CC) $(HOST_FLAGS) $(CFLAGS) $(EXTRA) -o $@ $< $(B)/libmapwright.a -pthread

.PHONY: examples
examples: $(B)/examples/embed $(B)/examples/emulator $(B)/examples/postcopy $(B)/examples/compact
$(B)/examples/embed $(B)/examples/emulator $(B)/examples/postcopy: $(B)/%: %.c $(B)/libmapwright.a
	@mkdir -p $(@D)
	$(CC) $(HOST_FLAGS) $(CFLAGS) $(EXTRA) -o $@ $^
$(B)/examples/compact: $(wildcard examples/compact/*.[ch] bench/*.h) $(B)/libmapwright.a
	@mkdir -p $(@D)
	$(CC) $(HOST_FLAGS) $(CFLAGS) $(EXTRA) -o $@ $(filter %.c %.a,$^) -pthread

.PHONY: bench bench-build
bench-build: $(BENCHES) $(B)/examples/compact
bench: bench-build
	@for b in $(filter-out %/counts,$(BENCHES)); do $$b || exit 1; done
	@$(B)/examples/compact --measure

.PHONY: test-kernels
test-kernels:
	@MAKE='$(MAKE)' B='$(B)' scripts/kernels

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include/mapwright \
	    $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/man/mapwright.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -d $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 644 $(wildcard docs/man/*.3) $(DESTDIR)$(PREFIX)/share/man/man3
	install -m 755 $(B)/mapwright $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/mapwright/*.h $(DESTDIR)$(PREFIX)/include/mapwright
	install -m 644 $(B)/libmapwright.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(B)/libmapwright.so $(DESTDIR)$(PREFIX)/lib/libmapwright.so.0
	ln -sf libmapwright.so.0 $(DESTDIR)$(PREFIX)/lib/libmapwright.so

clean:
	rm -rf $(B)

-include $(CORE_OBJ:.o=.d) $(LIVE_OBJ:.o=.d) $(TOOL_OBJ:.o=.d)

# SPDX-License-Identifier: MIT
# tests.mk - the test programs; the Makefile includes it. Also usable alone:
#   make -f tests/tests.mk check [B=build CC=gcc EXTRA=-fsanitize=address,undefined]
# Tests link with the core's own objects, so that internal headers can be used.
B ?= build
CC ?= cc
CFLAGS ?= -O2 -g
EXTRA ?=
TEST_WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifdef WERROR
TEST_WARN += -Werror
endif
TEST_FLAGS := -std=c11 $(TEST_WARN) -D_GNU_SOURCE -Iinclude -Isrc -Itests -Itools
TEST_CORE := $(patsubst %.c,$(B)/tests/%.o,$(wildcard src/*/*.c))
TEST_HOST := $(patsubst %.c,$(B)/tests/%.o,$(wildcard live/*.c))
TEST_WORLD := $(patsubst %.c,$(B)/tests/%.o,$(wildcard tests/world*.c) tools/conform/touch.c)
TEST_SCENARIOS := $(patsubst %.c,$(B)/tests/%.o,$(wildcard tests/scenarios/*.c))
TEST_UNITS := $(addprefix $(B)/tests/,test_advice test_block test_bulk test_calls test_face test_huge test_mirror test_objects test_pages test_pkey test_rows test_space test_special test_strict test_thp test_tlb test_tree test_vectors test_versions test_watch)
# the others are about the tool
TEST_TOOL_UNITS := $(filter-out $(TEST_UNITS),$(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c)))
TEST_TOOLS := $(patsubst %.c,$(B)/tests/%.o,$(filter-out tools/main.c,$(wildcard tools/*.c tools/*/*.c)))
TEST_FAULTS := $(patsubst tests/fault/%.c,$(B)/tests/%,$(wildcard tests/fault/*.c))
TEST_LIVE := $(patsubst tests/live/%.c,$(B)/tests/%,$(wildcard tests/live/test_*.c)) \
    $(B)/tests/ring_threads $(B)/tests/rewire_threads $(B)/tests/live_threads $(B)/tests/tlb_threads
RANDOM_SEED ?= 1
RANDOM_CALLS ?= 300000

# what the tool is run on: plain programs, whatever the tool itself is built with
TEST_PROGRAMS := $(addprefix $(B)/tests/check/,random programs calls no-ptrace)

.PHONY: check check-build check-unit check-scenarios check-fault check-random check-tool check-live
check: check-build
	B=$(B) RANDOM_SEED=$(RANDOM_SEED) RANDOM_CALLS=$(RANDOM_CALLS) tests/run.sh

# what asks the live kernel must be free of a sanitizer's own mappings: see world.h
ifneq ($(findstring -fsanitize,$(EXTRA) $(CFLAGS)),)
TEST_PLAIN := $(B)/tests/scenarios_plain $(B)/tests/diff_random_plain $(B)/tests/watch_random_plain
endif

check-build: $(TEST_PLAIN) $(TEST_UNITS) $(TEST_TOOL_UNITS) $(TEST_FAULTS) $(TEST_LIVE) $(B)/tests/scenarios $(B)/tests/diff_random $(B)/tests/watch_random $(B)/tests/fuzz_calls $(B)/tests/fuzz_port $(B)/tests/hostile $(TEST_PROGRAMS)

check-unit: $(TEST_UNITS) $(TEST_TOOL_UNITS)
	B=$(B) tests/run.sh unit
check-scenarios: $(TEST_PLAIN) $(B)/tests/scenarios
	B=$(B) tests/run.sh scenarios
check-fault: $(TEST_FAULTS)
	B=$(B) tests/run.sh fault
check-random: $(TEST_PLAIN) $(B)/tests/diff_random $(B)/tests/watch_random $(B)/tests/fuzz_calls $(B)/tests/fuzz_port $(B)/tests/hostile
	B=$(B) RANDOM_SEED=$(RANDOM_SEED) RANDOM_CALLS=$(RANDOM_CALLS) tests/run.sh random
check-live: $(TEST_LIVE)
	B=$(B) tests/run.sh live
# the tool itself is the Makefile's
check-tool: $(TEST_PROGRAMS)
	$(MAKE) $(B)/mapwright
	B=$(B) tests/run.sh check

$(B)/tests/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(TEST_WARN) -ffreestanding -Isrc -Iinclude $(CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

$(B)/tests/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) $(CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

$(B)/tests/scenarios: $(TEST_SCENARIOS) $(TEST_WORLD) $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^

$(TEST_UNITS): $(B)/tests/%: $(B)/tests/tests/unit/%.o $(B)/tests/tests/unit/unit.o $(TEST_CORE) $(TEST_HOST)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ -lcmocka

# an archive, so that a test takes only what it uses
$(B)/tests/tools.a: $(TEST_TOOLS) $(TEST_HOST) $(TEST_CORE)
	@rm -f $@
	ar rcs $@ $^

$(TEST_TOOL_UNITS): $(B)/tests/%: $(B)/tests/tests/unit/%.o $(B)/tests/tools.a
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ -lcmocka

$(B)/tests/test_nomem: $(B)/tests/tests/fault/test_nomem.o $(B)/tests/tests/unit/unit.o $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ -lcmocka

$(filter $(B)/tests/test_%,$(TEST_LIVE)): $(B)/tests/%: $(B)/tests/tests/live/%.o $(B)/tests/tests/live/live.o $(TEST_HOST) $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ -lcmocka -pthread

# ThreadSanitizer goes with no other sanitizer: built apart, whatever EXTRA says
$(B)/tests/%_threads: tests/live/%_threads.c live/%.c live/spare.c live/hostcall.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -g -fsanitize=thread -pthread -MMD -MP -o $@ $^

$(B)/tests/live_threads: tests/live/test_live.c tests/live/live.c $(wildcard live/*.c) $(wildcard src/*/*.c)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -Isrc -O1 -g -fsanitize=thread -pthread -o $@ $^ -lcmocka

$(B)/tests/tlb_threads: tests/live/tlb_threads.c live/host.c $(wildcard src/*/*.c)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -g -fsanitize=thread -pthread -MMD -MP -o $@ $^

# includes tree.c, to get at its nodes
$(B)/tests/test_check: $(B)/tests/tests/fault/test_check.o $(B)/tests/tests/unit/unit.o $(filter-out %/vma/tree.o,$(TEST_CORE))
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ -lcmocka

$(B)/tests/diff_random $(B)/tests/watch_random: $(B)/tests/%: $(B)/tests/tests/fuzz/%.o $(TEST_WORLD) $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^

$(B)/tests/check/%: tests/check/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -pthread -MMD -MP -o $@ $<

$(B)/tests/check/%: .ci/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -o $@ $<

$(B)/tests/plain/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -MMD -MP -c $< -o $@

plain = $(patsubst $(B)/tests/%,$(B)/tests/plain/%,$(1))
$(B)/tests/scenarios_plain: $(call plain,$(TEST_SCENARIOS) $(TEST_WORLD) $(TEST_CORE))
	$(CC) -o $@ $^
$(B)/tests/diff_random_plain $(B)/tests/watch_random_plain: $(B)/tests/%_plain: $(B)/tests/plain/tests/fuzz/%.o $(call plain,$(TEST_WORLD) $(TEST_CORE))
	$(CC) -o $@ $^

$(B)/tests/fuzz_%: $(B)/tests/tests/fuzz/fuzz_%.o $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^

$(B)/tests/hostile: $(B)/tests/tests/fuzz/hostile.o $(TEST_CORE)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^

# With clang's fuzzer: make CC=clang $(B)/tests/fuzz_calls_libfuzzer
$(B)/tests/fuzz_calls_libfuzzer: tests/fuzz/fuzz_calls.c $(wildcard src/*/*.c)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -O1 -g -DWITH_LIBFUZZER -fsanitize=fuzzer,address,undefined -o $@ $^

-include $(shell find $(B)/tests -name '*.d' 2>/dev/null)

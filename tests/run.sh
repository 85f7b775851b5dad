#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - runs the test programs in $B/tests and adds up what they report.
#   tests/run.sh [unit] [scenarios] [fault] [random] [check] [conform] [live]     default: all
# The last line is "N passed, N failed", with ", N skipped" when some were.
B=${B:-build}
PASSED=0
FAILED=0
SKIPPED=0
OUT=$(mktemp)
trap 'rm -f "$OUT"' EXIT

# A cmocka program: one line for each test it failed, and its counts.
cmocka() {
    timeout 300 "$B/tests/$1" >"$OUT" 2>&1
    status=$?
    ok=$(grep -c '^\[       OK \]' "$OUT")
    bad=$(grep -c '^\[  FAILED  \] [A-Za-z0-9_]*$' "$OUT")
    # each failed test is named where it fails and again in the list at the end
    [ "$bad" -gt 1 ] && bad=$((bad / 2))
    if [ "$status" -ne 0 ]; then
        [ "$bad" -eq 0 ] && bad=1
        grep -v -e '^\[ RUN ' -e '^\[       OK' "$OUT"
    fi
    echo "$1: $ok passed, $bad failed"
    PASSED=$((PASSED + ok))
    FAILED=$((FAILED + bad))
}

# A program of $B/tests whose last line is "N passed, N failed[, N skipped]".
counted() {
    name=$1
    shift
    counted_run "$B/tests/$name" "$@"
}

# counted_run COMMAND...: the same for any command; $name is what it is called here
counted_run() {
    timeout 300 "$@" >"$OUT" 2>&1
    status=$?
    last=$(tail -n 1 "$OUT")
    case $last in
    *" passed, "*" failed"*)
        ok=${last%% *}
        bad=${last#*, }
        bad=${bad%% *}
        more=${last#*failed}
        more=${more#, }
        PASSED=$((PASSED + ok))
        FAILED=$((FAILED + bad))
        more=${more%% *}
        SKIPPED=$((SKIPPED + ${more:-0}))
        [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && FAILED=$((FAILED + 1))
        ;;
    *)
        FAILED=$((FAILED + 1))
        echo "$name ended with status $status"
        ;;
    esac
    if [ "$status" -ne 0 ]; then sed '$d' "$OUT"; else tail -n 2 "$OUT" | sed '$d'; fi |
        grep -v '^ok '
    echo "$name: $last"
}

unit() {
    for f in tests/unit/test_*.c; do
        name=$(basename "$f" .c)
        [ -x "$B/tests/$name" ] && cmocka "$name"
    done
}

fault() {
    cmocka test_check
    cmocka test_nomem
}

scenarios() {
    counted scenarios
}

random() {
    counted diff_random --seed "${RANDOM_SEED:-1}" --calls "${RANDOM_CALLS:-300000}"
    counted watch_random --seed "${RANDOM_SEED:-1}" --calls "${WATCH_CALLS:-20000}"
    counted fuzz_calls --seed "${RANDOM_SEED:-1}" --runs "${FUZZ_RUNS:-3000}"
    counted fuzz_port --seed "${RANDOM_SEED:-1}" --runs "${FUZZ_RUNS:-3000}"
    counted hostile --seed "${RANDOM_SEED:-1}" --calls "${HOSTILE_CALLS:-200000}"
}

# end to end: what fails, what is skipped and why, and the counts
check() {
    name=check
    counted_run tests/check/check.sh
    [ "$status" -ne 0 ] || grep '^SKIPPED ' "$OUT"
}

# A program that says by its status alone whether all is well.
single() { # NAME PROGRAM ARGS...
    name=$1
    shift
    if timeout 300 "$@" >"$OUT" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "$name: ok"
    else
        FAILED=$((FAILED + 1))
        cat "$OUT"
        echo "$name: FAILED"
    fi
}

# `mapwright conform`: itself, its fixed scenarios, and a random run on this kernel
conform() {
    if grep -q __asan_init "$B/mapwright-conform"; then
        SKIPPED=$((SKIPPED + 1))
        echo "SKIPPED conform: the sanitizer's own mappings would be compared too"
        return
    fi
    name=conform
    counted_run tests/conform/run.sh
    single "conform --suite" "$B/mapwright-conform" --suite
    single "conform, random" "$B/mapwright-conform" --seed 1 --calls "${CONFORM_CALLS:-300000}" --no-emit
}

# the ready-made pieces, and the programs that their manual pages show
live() {
    for f in tests/live/test_*.c; do
        cmocka "$(basename "$f" .c)"
    done
    single ring_threads "$B/tests/ring_threads"
    # (without random addresses: ThreadSanitizer wants parts of the address space for itself)
    single live_threads setarch -R "$B/tests/live_threads"
    single tlb_threads setarch -R "$B/tests/tlb_threads"
    single rewire_threads "$B/tests/rewire_threads"
    name='manual pages'
    counted_run tests/live/man.sh
}

[ $# -gt 0 ] || set -- unit fault scenarios random check conform live
for part; do
    case $part in
    unit | fault | scenarios | random | check | conform | live) $part ;;
    *)
        echo "run.sh: unknown part $part" >&2
        exit 2
        ;;
    esac
done
if [ "$SKIPPED" -gt 0 ]; then
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
else
    echo "$PASSED passed, $FAILED failed"
fi
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]

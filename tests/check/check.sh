#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh - `mapwright check`, `replay` and `probe` from end to end: on programs that
# are hard to observe, on random ones, on bad logs and bad options.
#   tests/check/check.sh          from the top directory, with B=build
# A line for each test, "ok NAME", "FAILED NAME: ..." or "SKIPPED NAME: reason"; the
# last line is "N passed, N failed[, N skipped]".
B=${B:-build}
SEEDS=${CHECK_SEEDS:-20}
CALLS=${CHECK_CALLS:-400}
MAPWRIGHT=$B/mapwright
PROGRAMS=$B/tests/check/programs
DATA=tests/data
LIMIT=60 # seconds until something hangs
passed=0
failed=0
skipped=0
refused=
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
trap 'exit 1' HUP INT TERM

# ---- tests --------------------------------------------------------------------

ok() {
    echo "ok $1"
    passed=$((passed + 1))
}

# fails NAME WHAT: with what the tool wrote
fails() {
    echo "FAILED $1: $2"
    tail -n 25 "$W/out" "$W/err" | sed 's/^/    /'
    failed=$((failed + 1))
}

skips() {
    echo "SKIPPED $1: $2"
    skipped=$((skipped + 1))
}

# runs COMMAND...: its outputs are in $W/out and $W/err, its status in $status
runs() {
    timeout -s KILL "$LIMIT" "$@" > "$W/out" 2> "$W/err" < /dev/null
    status=$?
}

# expects NAME STATUS PATTERN: of what has run last; the pattern may be empty
expects() {
    if [ "$status" -ne "$2" ]; then
        fails "$1" "expected exit status $2, got $status"
    elif [ -n "$3" ] && ! cat "$W/out" "$W/err" | grep -E -q -e "$3"; then
        fails "$1" "expected a line with '$3'"
    else
        ok "$1"
    fi
}

# tool NAME STATUS PATTERN ARGS...: runs the tool
tool() {
    name=$1 want=$2 pattern=$3
    shift 3
    runs "$MAPWRIGHT" "$@"
    expects "$name" "$want" "$pattern"
}

# live NAME STATUS PATTERN ARGS...: the same where it takes ptrace
live() {
    if [ -n "$refused" ]; then
        skips "$1" "$refused"
    else
        tool "$@"
    fi
}

# observed NAME PATTERN: a program that must end with 0 of itself and agree
observed() {
    runs "$PROGRAMS" "$1"
    if [ "$status" -eq 77 ]; then
        skips "check $1" "this system lacks what it is about"
        return
    fi
    live "check $1" 0 "$2" check --status -- "$PROGRAMS" "$1"
}

# ---- options and programs that can't be run --------------------------------------

misuse() {
    tool "no command" 2 "usage:"
    tool "unknown command" 2 "no command 'frobnicate'" frobnicate
    tool "check without a program" 2 "which program" check
    tool "check, unknown option" 2 "bogus" check --bogus -- true
    tool "check, option without its value" 2 "requires an argument" check --json
    tool "check, option with a value too many" 2 "doesn't allow" check --status=1 -- true
    for when in "" never 0 -1 1x 99999999999999999999; do
        tool "check --layout='$when'" 2 "--layout wants" check "--layout=$when" -- true
    done
    tool "check, report not to be written" 2 "can't write" check --output /nonexistent/f -- true
    tool "check, JSON not to be written" 2 "can't write" check --json /nonexistent/f -- true
    tool "replay without a log" 2 "Usage:" replay
    tool "replay, two logs" 2 "Usage:" replay "$DATA/demo.strace" "$DATA/demo.strace"
    tool "replay, unknown option" 2 "bogus" replay --bogus "$DATA/demo.strace"
    tool "replay, version" 2 "expected a version" replay --linux six "$DATA/demo.strace"
    for version in x 9.9 1.0 5.40 "" 5 6. 6.18x '5.4,' ,5.4 all,5.4; do
        tool "check --linux '$version'" 2 "mapwright check: --linux '.*': expected .*version" \
            check --linux "$version" -- true
    done
    tool "replay --would of no version" 2 "mapwright replay: --would 'x': expected a version" \
        replay --would 5.4,x "$DATA/demo.strace"
    tool "replay, version to come" 2 "'9.9': expected a version from 2.6 to" \
        replay --linux 9.9 "$DATA/demo.strace"
    tool "check --places alone" 2 "need --linux" check --places -- true
    tool "replay --strict-linux alone" 2 "need --would" replay --strict-linux "$DATA/demo.strace"
    tool "help of check" 0 "usage: mapwright check" check --help
    tool "help of replay" 0 "mapwright replay" replay --help
    tool "help of probe" 0 "Usage: mapwright probe" probe --help
    tool "probe, unknown option" 2 "bogus" probe --bogus
    tool "probe, of something" 2 "Usage:" probe something
    tool "probe, option with a value too many" 2 "doesn't allow" probe --json=1
    tool "version" 0 "^mapwright [0-9]" --version
}

not_runnable() {
    echo 'no program' > "$W/text"
    echo "#!$W/nothing" > "$W/script"
    chmod +x "$W/script"
    live "program that is not there" 2 "can't run .*No such file" check -- "$W/nothing"
    live "program that is not executable" 2 "can't run .*denied" check -- "$W/text"
    live "program that is a directory" 2 "can't run .*denied" check -- "$W"
    live "script whose interpreter is not there" 2 "can't run .*No such file" check -- "$W/script"
    if [ -x "$B/tests/check/no-ptrace" ]; then
        # a sanitizer's search for leaks takes ptrace itself
        runs env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" \
            "$B/tests/check/no-ptrace" "$MAPWRIGHT" check -- true
        expects "ptrace refused" 2 "ptrace is refused here"
    else
        skips "ptrace refused" "$B/tests/check/no-ptrace could not be built"
    fi
}

# The manual and --help name the same options of a command.
manual() {
    page=docs/man/mapwright.1
    for command in check replay probe; do
        "$MAPWRIGHT" "$command" --help | grep -o -e '^  --[a-z-]*' | tr -d ' ' | sort > "$W/out"
        awk -v name="$command" '/^\.S[hs] / { here = $2 == name }
            here && /^\.It Fl Fl / { print "--" $4 }' "$page" |
            sort | diff "$W/out" - > "$W/err"
        status=$?
        expects "manual of $command" 0 ""
    done
}

# ---- programs that are hard to observe ---------------------------------------------

statuses() {
    live "exit status kept back" 0 "exited with status 7" check -- "$PROGRAMS" exit7
    live "exit status passed on" 7 "" check --status -- "$PROGRAMS" exit7
    live "killed" 0 "ended by signal 9" check -- "$PROGRAMS" killed
    live "killed, status passed on" 137 "" check --status -- "$PROGRAMS" killed
    live "segmentation fault" 0 "ended by signal 11" check -- "$PROGRAMS" segfault
    live "status, without a filter" 7 "" check --no-seccomp --status -- "$PROGRAMS" exit7
}

hard() {
    observed forks "100 forked"
    observed threads "6 threads"
    live "threads, each layout" 0 "all equal" check --layout=each -- "$PROGRAMS" threads
    observed exec "2 programs"
    observed daemon "daemon done"
    observed stop "1 forked"
    observed many "all equal"
    observed order "all equal"
    # natively it may be traced, and is: only the observed run counts
    live "check traceme" 0 "all equal" check --status -- "$PROGRAMS" traceme
    observed shmat "^  shmat +1 +1 "
    observed int80 "int 0x80"
    observed failing "EFAULT, 1 time \[MREMAP-[0-9]*\]: the old range reaches to 0x[0-9a-f]*000"
    live "rule of an invalid argument" 0 \
        "mremap EINVAL, 1 time \[MREMAP-[0-9]*\]: MREMAP_FIXED.* need MREMAP_MAYMOVE" \
        check -- "$PROGRAMS" failing
}

# The rarer memory calls: each answered, and its layout compared.
rare() {
    for name in $("$B/tests/check/calls"); do
        runs "$B/tests/check/calls" "$name"
        if [ "$status" -eq 77 ]; then
            skips "check $name" "this system lacks what it is about"
            continue
        fi
        live "check $name" 0 "all equal" check --status --layout=each -- \
            "$B/tests/check/calls" "$name"
        [ -n "$refused" ] || unsaid "check $name, all modelled" "not modelled"
    done
}

# echo_to DIRECTORY COMMAND...: what a program writes, and was started with
echo_to() {
    to=$W/$1
    shift
    mkdir "$to"
    printf 'one line\nno end' | timeout "$LIMIT" "$@" "$PROGRAMS" echo > "$to/out" 2> "$to/err"
}

untouched() {
    if [ -n "$refused" ]; then
        skips "input and output untouched" "$refused"
        return
    fi
    echo_to native env
    echo_to observed "$MAPWRIGHT" check --output "$W/report" --
    echo_to unfiltered "$MAPWRIGHT" check --no-seccomp --output "$W/report" --
    for how in observed unfiltered; do
        diff -r "$W/native" "$W/$how" > "$W/out" 2> "$W/err"
        status=$?
        expects "input and output untouched, $how" 0 ""
    done
}

# gone PID: within a second or so. A zombie is gone: who inherits it may be slow to notice.
gone() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        state=$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2> /dev/null)
        [ -z "$state" ] || [ "$state" = Z ] && return
        sleep 0.1
    done
    return 1
}

# starts NAME: a program that goes on; $checker is the tool, $program its id
starts() {
    : > "$W/out"
    "$MAPWRIGHT" check -- "$PROGRAMS" "$1" > "$W/out" 2> "$W/err" &
    checker=$!
    for _ in $(seq 100); do
        program=$(cat "$W/out")
        [ -n "$program" ] && return
        sleep 0.1
    done
}

# ends NAME STATUS: the tool and the program must have ended
ends() {
    if ! gone "$program" || ! gone "$checker"; then
        fails "$1" "still running after a second"
        kill -KILL "$checker" 2> /dev/null # and the program with it
    fi
    wait "$checker" 2> /dev/null
    status=$?
    expects "$1" "$2" "$3"
}

interrupts() {
    if [ -n "$refused" ]; then
        skips "interrupted" "$refused"
        return
    fi
    starts endable
    kill -INT "$checker"
    ends "interrupt ends the program" 0 "ended by signal 2"
    starts stubborn
    kill -INT "$checker"
    sleep 0.3
    kill -INT "$checker"
    ends "second interrupt ends a stubborn one" 0 "ended by signal 9"
    starts stubborn
    kill -KILL "$checker"
    ends "no program survives the tool" 137 ""
}

# ---- random programs ------------------------------------------------------------------

random() {
    [ -z "$refused" ] || { skips "random programs" "$refused"; return; }
    dd if=/dev/zero of="$W/file" bs=4096 count=256 2> /dev/null
    for seed in $(seq "$SEEDS"); do
        tool "random $seed" 0 "" check -q --layout=each -- \
            "$B/tests/check/random" "$seed" "$CALLS" "$W/file"
    done
}

# ---- disagreements ----------------------------------------------------------------------

# The tool's JSON must be JSON, whatever it tells of.
json() {
    if [ -z "$python" ]; then
        skips "$1" "no python3 to read it"
        return
    fi
    runs "$python" -c 'import json, sys
report = json.load(open(sys.argv[1], encoding="utf-8"))
for expected in sys.argv[2:]:
    assert eval(expected, {}, report), expected' "$W/json" "$2"
    expects "$1" 0 ""
}

falsified() {
    sed 's/= 0x7ffff7fb5000$/= 0x7ffff7fb6000/' "$DATA/demo.strace" > "$W/log"
    tool "falsified log" 1 "the engine says 0x7ffff7fb5000" replay --linux 6.18 \
        --maps "$DATA/demo.maps" --json "$W/json" "$W/log"
    expects "falsified log, its line" 1 "log:8: 9460 mmap\("
    json "falsified log, JSON" \
        'exit == 1 and differ >= 1 and differences[0]["engine"] == "0x7ffff7fb5000"'
    live "falsified program" 1 "mprotect.* = -1 EACCES" \
        check --no-seccomp --json "$W/json" -- "$PROGRAMS" falsified
    [ -n "$refused" ] || json "falsified program, JSON" \
        'exit == 1 and differ == 1 and differences[0]["kernel_mappings"]'
    live "differing program's status" 1 "" \
        check --no-seccomp --status -- "$PROGRAMS" falsified
    live "agreeing program, JSON" 0 "" check --json "$W/json" -- "$PROGRAMS" failing
    [ -n "$refused" ] || json "agreeing program, JSON" \
        'exit == 0 and differ == 0 and {f["errno"] for f in failures} == {"EFAULT", "EINVAL"}'
}

# ---- logs ---------------------------------------------------------------------------------

logs() {
    : > "$W/empty"
    head -c 5000 "$MAPWRIGHT" > "$W/binary"
    sed 's/mprotect(.*= 0$/shmat(3, NULL, 0) = 0x7ffff7000000/' "$DATA/demo.strace" > "$W/shmat"
    tool "log that is empty" 2 "no memory call" replay "$W/empty"
    tool "log that is binary" 2 "no memory call" replay "$W/binary"
    tool "log that is missing" 2 "No such file" replay "$W/nothing"
    tool "log that is a directory" 2 "directory" replay "$W"
    tool "log that is cut off" 0 "end of the file" replay --linux 6.18 "$DATA/truncated.strace"
    tool "log with hostile lines" 1 "passed over: 20 of" \
        replay --linux 6.18 --json "$W/json" "$DATA/hostile.strace"
    json "log with hostile lines, JSON" 'exit == 1 and differ == 1'
    tool "log without --maps" 0 "assumed to be mapped" replay --linux 6.18 "$DATA/demo.strace"
    tool "log with --maps" 0 "^34 calls, 34 agree" replay --linux 6.18 \
        --maps "$DATA/demo.maps" "$DATA/demo.strace"
    tool "maps that are none" 2 "expected a line of" replay --maps "$DATA/demo.strace" \
        "$DATA/demo.strace"
    tool "maps that are missing" 2 "No such file" replay --maps "$W/nothing" "$DATA/demo.strace"
    tool "log of a CPU with protection keys" 0 "^7 calls, 7 agree" replay --linux 6.18 --pkeys "$DATA/pkeys.strace"
    tool "log with a call that is not modelled" 0 "calls not modelled yet \(what a log" \
        replay --linux 6.18 "$W/shmat"
    status=0
    if grep -q 'taken over' "$W/out"; then status=1; fi
    expects "log's layout is not said to be taken over" 0 "^  shmat "
}

# ---- other versions of Linux ------------------------------------------------------------------

# said NAME PATTERN...: each in what has run last, on a line of its own
said() {
    name=$1
    shift
    for pattern; do
        if ! cat "$W/out" "$W/err" | grep -E -q -e "$pattern"; then
            fails "$name" "expected a line with '$pattern'"
            return
        fi
    done
    ok "$name"
}

# unsaid NAME PATTERN
unsaid() {
    if cat "$W/out" "$W/err" | grep -E -q -e "$2"; then
        fails "$1" "expected no line with '$2'"
    else
        ok "$1"
    fi
}

# tells_versions NAME: what all other versions say to the program `versions`, made on 6.17 or later
tells_versions() {
    said "$1" \
        "^  mremap\(0x[0-9a-f]+, 16384, 16384, MREMAP_MAYMOVE\|MREMAP_FIXED, .* \(the first of 3 like it\)" \
        "^    before 6.17: fails with EFAULT \[MREMAP-12\]: the old range reaches to" \
        "^  mremap\(.*MREMAP_DONTUNMAP, NULL\) = 0x" \
        "^    before 5.7: fails with EINVAL \[MREMAP-1\]: the flags 5 have bits" \
        "^  mremap\(0x[0-9a-f]+, 0, 8192, MREMAP_MAYMOVE\) = -1 EINVAL" \
        "^    [67].*: fails with EINVAL \[MREMAP-11\]: old size 0" \
        "^    before 4.14: succeeds$" \
        "MAP_FIXED_NOREPLACE.* = -1 EEXIST" "^    before 4.17: succeeds$" \
        "MAP_DROPPABLE.* = 0x" "^    before 6.11: fails with EINVAL \[MMAP-3\]" \
        "^[0-9]+ calls, [0-9]+ of them answered differently by another Linux \(.*6.11 to 6.16: 3\)$"
    unsaid "$1, only the answer counts" "succeeds at"
}

others_of_program() {
    runs "$PROGRAMS" versions
    if [ -n "$refused" ] || [ "$status" -eq 77 ]; then
        skips "other versions, program" "${refused:-this Linux does not move several mappings}"
        return
    fi
    tool "all versions, program" 0 "" check --linux all -- "$PROGRAMS" versions
    tells_versions "all versions, program, what they say"
    tool "two versions, program" 1 "another Linux \(5.4: [5-9], 6.16: 3\)$" \
        check -q --strict-linux --linux 6.16,5.4,5.4 --json "$W/json" -- "$PROGRAMS" versions
    said "two versions, program, those that say the same" "^    5.4, 6.16: fails with EFAULT" \
        "^    5.4: fails with EINVAL \[MREMAP-1\]"
    json "two versions, program, JSON" '(exit == 1 and differ == 0 and
        other_linux["versions"]["6.16"] == 3 and other_linux["calls"][0]["count"] == 3 and
        other_linux["calls"][0]["others"][0]["rule"] == "MREMAP-12")'
    tool "strict, program that all answer alike" 0 "^[0-9]+ calls, none of them answered diff.* another Linux$" \
        check -q --strict-linux --would all -- "$PROGRAMS" failing
}

others_of_log() {
    log=$DATA/versions.strace
    tool "all versions, log" 0 "" replay --linux 6.18 --would all --json "$W/json" "$log"
    tells_versions "all versions, log, what they say"
    json "all versions, log, JSON" 'exit == 0 and other_linux["differ"] == sum(
        c["count"] for c in other_linux["calls"]) >= 6 and other_linux["versions"]["6.17"] == 0'
    json "all versions, log, JSON of a failure" '[c["others"][-1] for c in other_linux["calls"]
        if c["errno"] == "EINVAL"][0]["linux"] == "before 4.14"'
    tool "strict, log" 1 "" replay -q --strict-linux --linux 6.18 --would 5.4 "$log"
    tool "its own version" 0 "none of them answered differently by Linux 6.17, 6.18$" \
        replay -q --strict-linux --linux 6.18 --would 6.18,6.17 "$log"
    tool "places, log" 0 "" replay --places --linux 6.18 --would 6.1,6.12 "$log"
    said "places, log, what is said" "^  mmap\(NULL, 4194304, .* = 0x7ffff7800000$" \
        "^    6.1: succeeds at 0x7ffff7[0-9a-f]+$"
    # --linux is where the log comes from, --would who else is asked
    sed -e '/MREMAP_FIXED/d' -e '/MAP_???/d' -e '/4194304/d' \
        -e 's/\(MREMAP_DONTUNMAP.*\) = 0x.*/\1 = -1 EINVAL (Invalid argument)/' "$log" > "$W/old"
    tool "log of an older version" 0 "" replay --linux 5.4 --would all "$W/old"
    said "log of an older version, what newer ones say" "MREMAP_DONTUNMAP, NULL\) = -1 EINVAL" \
        "^    5.4: fails with EINVAL \[MREMAP-1\]" "^    since 5.7: succeeds$"
    tool "log of an older version as if newer" 1 "" replay --linux 6.18 --would all "$W/old"
    unsaid "what the engine disagrees with is not asked about" "DONTUNMAP.*\[MREMAP-1\]|before 5.7"
    tool "log not asked about" 0 "" replay --linux 6.18 --json "$W/json" "$log"
    json "log not asked about, JSON" 'other_linux is None'
}

# ---- what this system can do: PROBE-1 to PROBE-4 ---------------------------------------------

probes() {
    tool "probe" 0 "^as (Linux [0-9]|no Linux)" probe
    said "probe, what is said" "^mremap-fixed +yes +all +[a-z]" "^page-size +[0-9]+ +the page" \
        "^max-map-count +([0-9]+|not tried)" "^hugetlb-2m-grow +(no|not tried|refused)"
    grep -c '^[a-z0-9-]\{4,\} ' "$W/out" > "$W/lines"
    runs "$MAPWRIGHT" probe --json
    cp "$W/out" "$W/json"
    expects "probe, JSON" 0 ""
    json "probe, JSON, as many as lines" "len(found) == $(cat "$W/lines")"
    json "probe, JSON, what fits no Linux" 'linux["misfits"] == sum(f["misfit"] for f in found.values())'
    json "probe, JSON, a number" 'found["page-size"]["value"] == __import__("resource").getpagesize()'
    if [ ! -w /dev/full ]; then
        skips "probe, table not to be written" "no /dev/full"
    else
        "$MAPWRIGHT" probe > /dev/full 2> "$W/err"
        status=$?
        expects "probe, table not to be written" 1 ""
    fi
    emulator=$(command -v qemu-x86_64 || command -v qemu-x86_64-static)
    if [ -z "$emulator" ]; then
        skips "probe of an emulator" "no qemu-x86_64"
    elif grep -q __asan_init "$B/mapwright-probe"; then
        skips "probe of an emulator" "not with a sanitizer"
    else
        runs "$emulator" "$B/mapwright-probe"
        said "probe of an emulator" "^as no Linux; next to .* but for [0-9]+:" \
            "^madv-cold +no " "^  duplicate-shared: no \(ENOMEM\)"
    fi
}

# ---- all ------------------------------------------------------------------------------------

if [ ! -x "$MAPWRIGHT" ] || [ ! -x "$PROGRAMS" ]; then
    echo "check.sh: $MAPWRIGHT or $PROGRAMS is not built"
    echo "0 passed, 1 failed"
    exit 1
fi
runs "$MAPWRIGHT" check -q -- true
grep -q 'ptrace is refused' "$W/err" && refused="ptrace is refused here"
python=$(command -v python3)
misuse
manual
not_runnable
statuses
hard
rare
untouched
interrupts
random
falsified
logs
others_of_program
others_of_log
probes
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]

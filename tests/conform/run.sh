#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - tests of `mapwright conform` itself: that it repeats, that it finds,
# shrinks and shows a planted difference, and what it says to misuse.
#   B=build tests/conform/run.sh
# The last line is "N passed, N failed".
B=${B:-build}
CC=${CC:-cc}
CONFORM=$(cd "$B" && pwd)/mapwright-conform
DIR=$(mktemp -d) || exit 1
trap 'rm -rf "$DIR"' EXIT
PASSED=0
FAILED=0

check() { # NAME, and the status of what was tried
    if [ "$2" -eq 0 ]; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
        echo "FAILED $1"
        [ -s "$DIR/out" ] && sed 's/^/    /' "$DIR/out" | head -n 20
    fi
}

conform() { timeout 120 "$CONFORM" "$@" >"$DIR/out" 2>&1; }

misuse() { # NAME OPTIONS...: exit code 2 and a word about it
    name=$1
    shift
    conform "$@"
    [ $? -eq 2 ] && grep -q 'conform' "$DIR/out"
    check "misuse_$name" $?
}

# What is wrong on the command line is said and ends with 2.
misuse unknown --nonsense
misuse no_number --seed many
misuse no_value --calls
misuse zero_calls --calls 0
misuse steps --steps 100000
misuse jobs --jobs 0
misuse version --linux six
misuse only --only mmap,shmget
misuse episodes --episode 3,x
misuse corpus --corpus "$DIR/not-there"
conform --help && grep -q -e '--corpus DIR' "$DIR/out"
check help $?

# The expectations of the suite are the engine's, at every version.
conform --check-table --linux 6.18
check table $?

# The suite and random calls agree with this kernel.
conform --suite --quiet --junit "$DIR/suite.xml" --json "$DIR/suite.json"
check suite $?
grep -q '<testsuite .*failures="0"' "$DIR/suite.xml" && grep -q '"verdict": "ok"' "$DIR/suite.json"
check suite_files $?
conform --suite --tap && grep -q '^1\.\.[1-9]' "$DIR/out" && ! grep -q '^not ok' "$DIR/out"
check suite_tap $?
conform --calls "${RANDOM_CALLS:-650000}" --seed "${RANDOM_SEED:-2}" --no-emit --coverage
check random $?
# As root on 6.18 all is met that can be (SPEC.md, "What a program can't reach"). Elsewhere less is there.
if [ -z "${RANDOM_SEED-}${RANDOM_CALLS-}" ] && [ "$(id -u)" -eq 0 ] && grep -q 'Linux 6\.1[789]' "$DIR/out" &&
    [ "$(cat /proc/sys/vm/max_map_count)" -le 70000 ]; then
    ! grep 'NOT EXERCISED' "$DIR/out" >"$DIR/missing"
    status=$?
    cp "$DIR/missing" "$DIR/out"
    check coverage $status
fi
conform --calls 60000 --seed 4 --huge-pages --no-emit
check random_huge_pages $?
conform --calls 30000 --jobs 2 --only mremap,munmap,brk --no-emit
check random_jobs $?
conform --calls 30000 --only mmap,mlock,mlockall,munlockall,madvise,mincore,mseal --no-emit
check random_locks $?

conform --calls 30000 --only mmap,mremap,munmap,ftruncate,shmat,shmdt --no-emit
check random_objects $?
conform --calls 60000 --no-emit \
    --only mmap,mremap,mprotect,madvise,uffd_register,uffd_unregister,uffd_copy,uffd_zeropage,uffd_continue,uffd_poison,uffd_move,uffd_writeprotect
check random_watchers $?
# What a machine or a user lacks is left out, and said.
conform --calls 1000 --no-emit
unshare --ipc true 2>/dev/null || grep -q 'left out:.*shmat' "$DIR/out"
check says_what_is_left_out $?

# A seed repeats: the same calls, to the last.
conform --calls 20000 --seed 11 --json "$DIR/one.json" --quiet
conform --calls 20000 --seed 11 --json "$DIR/two.json" --quiet
sed '/seconds/d' "$DIR/one.json" >"$DIR/one"
sed '/seconds/d' "$DIR/two.json" >"$DIR/two"
[ -s "$DIR/one" ] && cmp -s "$DIR/one" "$DIR/two"
check seed_repeats $?

# What has been a fault of the comparer once; and a chain of episodes in one process.
conform --corpus "$(dirname "$0")/corpus" --calls 1 --steps 1 --no-emit
check corpus $?
conform --seed 5 --episode 3,4,7 --no-emit && grep -q ' in 3 episodes agree' "$DIR/out"
check chain $?

# A planted difference: this kernel held against a Linux that it is not.
conform --calls 100000 --seed 3 --linux 5.10 --emit "$DIR" --corpus "$DIR"
[ $? -eq 1 ] && grep -q 'DISAGREEMENT' "$DIR/out"
check finds $?
[ "$(grep -c '^    [a-z]' "$DIR/out")" -le 6 ]
check shrinks $?
grep -q '^  system ' "$DIR/out" && grep -q '^  Linux ' "$DIR/out"
check shows_both $?
again=$(sed -n 's/.*(\(--seed [0-9]* --episode [0-9]*\)).*/\1/p' "$DIR/out" | head -n 1)
# shellcheck disable=SC2086
conform $again --linux 5.10 --no-emit
[ $? -eq 1 ]
check episode_repeats $?
conform --corpus "$DIR" --linux 5.10 --calls 1 --steps 1 --no-emit
[ $? -eq 1 ] && grep -q 'still disagrees' "$DIR/out"
check corpus_repeats $?
conform --corpus "$DIR" --calls 1 --steps 1 --no-emit
check corpus_agrees_with_its_own $?

# The program that it writes shows it with a C compiler alone.
program=$(ls "$DIR"/findings-*.c 2>/dev/null | head -n 1)
[ -n "$program" ] && $CC -Wall -Wextra -Werror -o "$DIR/finding" "$program" >"$DIR/out" 2>&1
check program_compiles $?
"$DIR/finding" >"$DIR/out" 2>&1
[ $? -eq 1 ] && grep -q 'DIFFERS' "$DIR/out"
check program_shows_it $?
"$DIR/finding" 7.2 >"$DIR/out" 2>&1
grep -q 'the same' "$DIR/out"
check program_knows_other_versions $?

# Watchers, segments and files that shrink are called by such programs too: here all that 6.18 refuses and 6.12 is said to allow.
cat >"$DIR/all.steps" <<'END'
watcher 0 0 0 0 0 14080 0
mmap -1 3 32 200000000000 4000 0 0
uffd_register 0 0 0 200000000000 4000 3 0
uffd_copy 0 0 0 200000001000 2000 0 0
uffd_writeprotect 0 0 0 200000001000 1000 1 0
uffd_move 0 0 0 200000000000 1000 0 200000002000
uffd_poison 0 0 0 200000003000 1000 0 0
uffd_zeropage 0 0 0 200000002000 1000 0 0
uffd_unregister 0 0 0 200000000000 4000 0 0
unwatcher 0 0 0 0 0 0 0
mmap 0 3 11 200000010000 4000 0 0
store -1 0 0 200000010ffc 0 0 4d
ftruncate 0 0 0 0 64 0 0
load -1 0 0 200000010ffc 0 0 0
shmat 0 0 0 200000020000 0 0 0
shm_remove 0 0 0 0 0 0 0
shmdt -1 0 0 200000020000 0 0 0
shmat 0 0 0 200000020000 0 0 0
transparent_huge_pages -1 0 0 0 0 0 0
copy_out -1 0 0 200000000000 3000 0 0
smaps -1 0 0 0 0 0 0
madvise -1 0 0 200000000000 4000 66 0
END
mkdir "$DIR/all"
cp "$DIR/all.steps" "$DIR/all"
conform --corpus "$DIR/all" --calls 1 --steps 1 --no-emit
check all_kinds_agree $?
conform --corpus "$DIR/all" --linux 6.12 --calls 1 --steps 1 --emit "$DIR/all"
grep -q 'still disagrees' "$DIR/out"
check all_kinds_repeat $?
$CC -Wall -Wextra -Werror -o "$DIR/finding" "$DIR/all/findings-all.c" >"$DIR/out" 2>&1
check all_kinds_compile $?
"$DIR/finding" 6.17 >"$DIR/out" 2>&1
check all_kinds_program $?

# So do those about locks and advice: 6.12 has no guards, this kernel has.
mkdir "$DIR/advice"
conform --calls 20000 --seed 3 --linux 6.12 --only mmap,mlock,madvise,mincore --findings 3 --emit "$DIR/advice"
[ $? -eq 1 ] && grep -q 'MADV_GUARD' "$DIR/out"
check finds_advice $?
status=0
for program in "$DIR"/advice/*.c; do
    $CC -Wall -Wextra -Werror -o "$DIR/finding" "$program" >"$DIR/out" 2>&1 || status=1
    "$DIR/finding" >"$DIR/out" 2>&1
    [ $? -eq 1 ] && grep -q 'DIFFERS' "$DIR/out" || status=1
done
check advice_programs_show_it $status

echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]

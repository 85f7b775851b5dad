#!/bin/sh
# SPDX-License-Identifier: MIT
# man.sh - the programs that the manual pages in section 3 show: each is taken
# from its page, compiled without a warning against the built library, and run;
# it must print what the page says it prints. $B and $CC as for run.sh.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
ok=0
bad=0

# block PAGE N: the N-th literal display, as plain text
block() {
    awk -v want="$2" '/^\.Bd -literal/ { n++; inside = n == want; next }
        /^\.Ed/ { inside = 0 }
        inside' "$1" | sed 's/\\e/\\/g; s/^\\&//'
}

for page in docs/man/*.3; do
    name=$(basename "$page" .3)
    block "$page" 1 >"$tmp/$name.c"
    block "$page" 2 >"$tmp/$name.expected"
    # shellcheck disable=SC2086
    if ${CC:-cc} -std=c11 -Wall -Wextra -Werror ${EXTRA-} -Iinclude "$tmp/$name.c" "$B/libmapwright.a" -pthread \
        -o "$tmp/$name" && "$tmp/$name" >"$tmp/$name.out" && [ -s "$tmp/$name.expected" ] &&
        diff "$tmp/$name.expected" "$tmp/$name.out"; then
        ok=$((ok + 1))
    else
        bad=$((bad + 1))
        echo "$page: its program fails"
    fi
done
echo "$ok passed, $bad failed"
[ "$bad" -eq 0 ] && [ "$ok" -gt 0 ]

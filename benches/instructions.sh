#!/usr/bin/env bash
# Instructions per operation, by callgrind: each scenario runs N and 2N times, and the difference
# is divided by N, so that neither the start nor the making of clients counts.
#
#   benches/instructions.sh [N]
#
# Counted is the calling thread of the client's process; the server is a process of its own. The
# async client does all its work there, the blocking one all that is ours. Figures repeat to a few
# instructions, the blocking ones to some 80; another build of the same code may differ by 300, as
# the compiler inlines otherwise. Valgrind hides the processor's SHA and vector instructions, so
# what hashes (a `for_token` with a refresh token) looks dearer than it is.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-2000}

command -v valgrind >/dev/null || { echo "valgrind is missing" >&2; exit 1; }
built=$(cargo bench --features async,blocking --bench instructions --no-run 2>&1) ||
    { echo "$built" >&2; exit 1; }
driver=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$built")
# The server lives as long as descriptor 3 is open.
scratch=$(mktemp -d)
trap 'exec 3>&-; rm -rf "$scratch"' EXIT
mkfifo "$scratch/stdin"
"$driver" serve <"$scratch/stdin" >"$scratch/address" &
exec 3>"$scratch/stdin"
until [ -s "$scratch/address" ]; do sleep 0.05; done
address=$(cat "$scratch/address")

instructions() { # SCENARIO COUNT
    rm -f "$scratch"/out*
    valgrind --tool=callgrind --separate-threads=yes --callgrind-out-file="$scratch/out" \
        "$driver" "$1" "$2" "$address" 2>"$scratch/log" 3>&- ||
        { cat "$scratch/log" >&2; exit 1; }
    sed -n 's/^totals: //p' "$scratch/out-01"
}

per_operation() { # SCENARIO COUNT
    local once twice
    once=$(instructions "$1" "$2")
    twice=$(instructions "$1" $((2 * $2)))
    echo $(((twice - once) / $2))
}

declare -A figure
row() { # SCENARIO COUNT [BASE...]
    local scenario=$1 base
    figure[$scenario]=$(per_operation "$scenario" "$2")
    printf '%-36s %8d ir' "$scenario" "${figure[$scenario]}"
    for base in "${@:3}"; do
        printf '   %+6d beyond %s' $((figure[$scenario] - figure[$base])) "${base#*/}"
    done
    echo
}

for mode in request blocking; do
    row $mode/bare "$count"
    row $mode/bare-same-settings "$count" $mode/bare
    row $mode/nothing-to-renew "$count" $mode/bare-same-settings $mode/bare
    row $mode/retry-off "$count" $mode/bare-same-settings $mode/bare
    row $mode/retry-on "$count" $mode/bare-same-settings $mode/bare
done
row request/for-token "$count" request/bare-same-settings
row token/header $((count * 5))
row blocking-token/header $((count * 5))
row token/authorize-floor $((count * 5))
row token/authorize $((count * 5)) token/authorize-floor
row make/for-token "$count"
row make/for-token-with-refresh-token "$count"
row parse/token-answer "$count"

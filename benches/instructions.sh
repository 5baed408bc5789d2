#!/usr/bin/env bash
# Instructions per operation, by callgrind: each scenario runs N and 2N times, and the difference
# is divided by N, so that neither the start nor the making of clients counts.
#
#   benches/instructions.sh [N]
#   benches/instructions.sh gate [N]
#
# The gate counts only what a request costs beyond reqwest as it comes, and fails if that is more than
# a thousand instructions over the goal.
#
# Counted is the calling thread of the client's process; the server is a process of its own. The
# async client does all its work there, the blocking one all that is ours. Figures repeat to a few
# instructions, the blocking ones to some 80; another build of the same code may differ by 300, as
# the compiler inlines otherwise. Valgrind hides the processor's SHA and vector instructions, so
# what hashes (a `for_token` with a refresh token) looks dearer than it is.
set -euo pipefail
cd "$(dirname "$0")/.."
gate=
if [[ ${1:-} == gate ]]; then
    gate=1
    shift
fi
count=${1:-${gate:+300}}
count=${count:-2000}

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

# at_most GOAL SCENARIO BASE
at_most() {
    local beyond=$((figure[$2] - figure[$3]))
    if ((beyond > $1 + 1000)); then
        echo "$2: $beyond instructions beyond $3, the goal is $1" >&2
        missed=1
    fi
}

# A request with a proof, beyond one with a bearer token and the signature by ring, both of which
# have been counted.
proof() { # MODE
    local beyond=$((figure[$1/dpop] - figure[$1/retry-on] - figure[signature/es256]))
    echo "$1/dpop: $beyond beyond a bearer token and the signature"
    if ((beyond > 4000 + 1000)); then
        echo "$1/dpop: $beyond instructions, the goal is 4000" >&2
        missed=1
    fi
}

if [[ $gate ]]; then
    missed=
    row signature/es256 "$count"
    for mode in request blocking; do
        row $mode/bare "$count"
        row $mode/nothing-to-renew "$count" $mode/bare
        row $mode/retry-on "$count" $mode/bare
        row $mode/dpop "$count" $mode/bare
        proof $mode
    done
    at_most 1300 request/nothing-to-renew request/bare
    at_most 2200 request/retry-on request/bare
    at_most 1000 blocking/nothing-to-renew blocking/bare
    at_most 1900 blocking/retry-on blocking/bare
    [[ ! $missed ]]
    exit
fi

for mode in request blocking; do
    row $mode/bare "$count"
    row $mode/bare-same-settings "$count" $mode/bare
    row $mode/nothing-to-renew "$count" $mode/bare-same-settings $mode/bare
    row $mode/retry-off "$count" $mode/bare-same-settings $mode/bare
    row $mode/retry-on "$count" $mode/bare-same-settings $mode/bare
    row $mode/configured "$count" $mode/bare-same-settings $mode/bare
done
row signature/es256 "$count"
for mode in request blocking; do
    row $mode/dpop "$count" $mode/retry-on
    proof $mode
done
row request/for-token "$count" request/bare-same-settings
row token/header $((count * 5))
row blocking-token/header $((count * 5))
row token/authorize-floor $((count * 5))
row token/authorize $((count * 5)) token/authorize-floor
row make/for-token "$count"
row make/for-token-with-refresh-token "$count"
row make/token "$count"
row make/for-token-in-use "$count" make/token
row make/for-user "$count"
row request/for-user "$count" request/for-token
row parse/token-answer "$count"

#!/usr/bin/env bash
# Instructions of an authorised request beside peers, by callgrind: each sends N and 2N requests, and
# the difference is divided by N, so that neither the start nor the making of clients counts.
#
#   benches/peers/instructions.sh [N]
#
# Counted is the client's process on one thread; the server is a process of its own.
set -euo pipefail
cd "$(dirname "$0")"
count=${1:-500}

command -v valgrind >/dev/null || { echo "valgrind is missing" >&2; exit 1; }
cargo build --quiet --release --locked --bin authorised
driver=${CARGO_TARGET_DIR:-target}/release/authorised
# The server lives as long as descriptor 3 is open.
scratch=$(mktemp -d)
trap 'exec 3>&-; rm -rf "$scratch"' EXIT
mkfifo "$scratch/stdin"
"$driver" serve <"$scratch/stdin" >"$scratch/address" &
exec 3>"$scratch/stdin"
until [ -s "$scratch/address" ]; do sleep 0.05; done
address=$(cat "$scratch/address")

instructions() { # SUBJECT COUNT
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
        "$driver" "$1" "$2" "$address" 2>"$scratch/log" 3>&- ||
        { cat "$scratch/log" >&2; exit 1; }
    sed -n 's/^totals: //p' "$scratch/out"
}

bare=
for subject in bare cached-header oauth-twin oauth-twin-retry oauth2-by-hand \
    oauth2-by-hand-with-user-agent reqwest-middleware yup-oauth2 huskarl oauth-twin-dpop huskarl-dpop; do
    once=$(instructions "$subject" "$count")
    twice=$(instructions "$subject" $((2 * count)))
    figure=$(((twice - once) / count))
    bare=${bare:-$figure}
    printf '%-32s %8d ir   %+6d beyond bare\n' "$subject" "$figure" $((figure - bare))
done

#!/usr/bin/env bash
# Size of a stripped program that fetches a token by client credentials, beyond one that sends the
# form by bare reqwest.
#
#   benches/size.sh
#   benches/size.sh gate
#
# The gate fails if a program has grown by more than a tenth over what is recorded here. Whoever
# records more says in the commit what it is for.
#
# The dependencies have the features of all benches and tests, so that nothing is built for this
# alone; benches/build_cost.sh builds the same programs as their users do.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A recorded=([size_async]=896000 [size_both]=1190000)

build=(cargo bench --locked --features blocking,async --no-run)
for name in size_bare "${!recorded[@]}"; do
    build+=(--bench "$name")
done
built=$("${build[@]}" 2>&1) || { echo "$built" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stripped() { # NAME
    local program
    program=$(sed -n "s/^ *Executable .*(\(.*\/$1-[0-9a-f]*\))$/\1/p" <<<"$built")
    strip -o "$scratch/$1" "$program"
    stat --format=%s "$scratch/$1"
}

bare=$(stripped size_bare)
echo "size_bare: $bare bytes"
missed=
for name in size_async size_both; do
    beyond=$(($(stripped $name) - bare))
    echo "$name: $beyond bytes more, $((beyond * 100 / recorded[$name])) % of what is recorded"
    if ((beyond * 10 > recorded[$name] * 11)); then
        echo "$name: more than a tenth over ${recorded[$name]}" >&2
        missed=1
    fi
done
[[ ${1:-} != gate || ! $missed ]]

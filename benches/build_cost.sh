#!/usr/bin/env bash
# What it costs to build a program that fetches a token: CPU seconds of a release build from
# nothing, crates, and the stripped size; beside bare reqwest.
#
#   benches/build_cost.sh [ROUNDS]
#
# Each round builds every program once, in turn; the least time counts, as whatever else the
# machine does only adds to it. Crates are those of this platform, the program itself left out.
set -euo pipefail
library=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-1}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset CARGO_TARGET_DIR

program() { # NAME, dependencies and source on descriptors 3 and 4
    mkdir -p "$scratch/$1/src"
    {
        printf '[package]\nname = "hello"\nversion = "0.0.0"\nedition = "2024"\n'
        printf '[profile.release]\nstrip = true\n[workspace]\n[dependencies]\n'
        cat <&3
    } >"$scratch/$1/Cargo.toml"
    cat <&4 >"$scratch/$1/src/main.rs"
    # The library's own lock file, so that all are built with the same versions as it is tested.
    cp "$library/Cargo.lock" "$scratch/$1/"
    cargo fetch --quiet --manifest-path "$scratch/$1/Cargo.toml"
}

tokio='tokio = { version = "1", features = ["macros", "rt"] }'

program reqwest-default 3<<<"$tokio
reqwest = \"0.13\"" 4<<<'
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("the endpoint?")?;
    let request = reqwest::Client::new().post(endpoint).basic_auth("id", Some("secret"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body("grant_type=client_credentials").send().await?;
    println!("{}", answer.text().await?);
    Ok(())
}'

# The programs whose size benches/size.sh watches.
program reqwest-ring 3<<<"$tokio
reqwest = { version = \"0.13\", default-features = false, features = [\"form\", \"json\", \"rustls-no-provider\"] }
rustls = { version = \"0.23\", default-features = false, features = [\"ring\", \"std\", \"tls12\"] }
serde_json = \"1\"" 4<"$library/benches/size/bare.rs"

program oauth-twin-async 3<<<"$tokio
oauth-twin = { path = \"$library\", features = [\"async\"] }" 4<"$library/benches/size/asynchronous.rs"

program oauth-twin-both 3<<<"$tokio
oauth-twin = { path = \"$library\", features = [\"async\", \"blocking\"] }" 4<"$library/benches/size/both.rs"

programs=(reqwest-default reqwest-ring oauth-twin-async oauth-twin-both)
TIMEFORMAT='%U %S'
for _ in $(seq "$rounds"); do
    for name in "${programs[@]}"; do
        cd "$scratch/$name"
        rm -rf target
        { time cargo build --release --quiet 2>cargo.log || { cat cargo.log >&2; exit 1; }; } 2>>times
    done
done

printf '%-18s %10s %8s %12s\n' program 'CPU s' crates 'stripped MB'
for name in "${programs[@]}"; do
    cd "$scratch/$name"
    seconds=$(awk '{ sum = $1 + $2; if (NR == 1 || sum < least) least = sum } END { print least }' times)
    crates=$(($(cargo tree --edges normal --prefix none | sed 's/ (\*)$//' | sort -u | wc -l) - 1))
    megabytes=$(stat --format=%s target/release/hello | awk '{ printf "%.2f", $1 / 1e6 }')
    echo "$seconds $crates $megabytes" >cost
    printf '%-18s %10.1f %8d %12.2f\n' "$name" "$seconds" "$crates" "$megabytes"
done
for ours in oauth-twin-async oauth-twin-both; do
    for base in reqwest-default reqwest-ring; do
        paste -d ' ' "$scratch/$ours/cost" "$scratch/$base/cost" | awk -v pair="$ours beside $base" '{
            printf "%s: CPU x %.2f, %+d crates, %+.2f MB\n", pair, $1 / $4, $2 - $5, $3 - $6
        }'
    done
done

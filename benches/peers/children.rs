//! Children (`for_token`) that each have an expired token of their own, beside the same requests by
//! hand: 64 at a time, on one thread. Time and allocations of each.

mod server;

use std::{
    error::Error,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use allocation_counter::measure;
use oauth_twin::{AsyncOAuth2Client, Token, reqwest};
use server::Server;
use tokio::task::JoinSet;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const CHILDREN: usize = 10_000;
const AT_A_TIME: usize = 64;
const ROUNDS: usize = 7;

fn main() -> BenchResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let server = Server::start(Duration::ZERO)?;
    let mut figures = [const { Vec::new() }; 2];
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(server.token_endpoint())
        .build()?;
    let bare = reqwest::Client::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        for (n, figures) in figures.iter_mut().enumerate() {
            let before = server.token_requests();
            let began = Instant::now();
            let mut done = Ok(());
            let counted = measure(|| {
                done = runtime.block_on(async {
                    match n {
                        0 => {
                            let client = client.clone();
                            all(move |n| child(client.clone(), round, n)).await
                        }
                        _ => {
                            let (bare, endpoint) = (bare.clone(), server.token_endpoint());
                            all(move |n| by_hand(bare.clone(), endpoint.clone(), round, n)).await
                        }
                    }
                });
            });
            done?;
            assert_eq!(server.token_requests() - before, CHILDREN);
            if round > 0 {
                figures.push((began.elapsed().as_secs_f64() * 1e3, counted.count_total));
            }
        }
    }
    let [ours, by_hand] = figures.map(|mut figures: Vec<(f64, u64)>| {
        figures.sort_by(|a, b| a.0.total_cmp(&b.0));
        figures[figures.len() / 2]
    });
    println!(
        "{CHILDREN} children with an expired token each: {:.0} ms and {:.1} allocations; by hand \
         {:.0} ms and {:.1}; ratio {:.2}",
        ours.0,
        ours.1 as f64 / CHILDREN as f64,
        by_hand.0,
        by_hand.1 as f64 / CHILDREN as f64,
        ours.0 / by_hand.0,
    );
    Ok(())
}

async fn all<F>(work: impl Fn(usize) -> F + 'static) -> BenchResult
where
    F: Future<Output = BenchResult> + 'static,
{
    let work = Arc::new(work);
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let mut tasks = JoinSet::new();
            for worker in 0..AT_A_TIME {
                let work = work.clone();
                tasks.spawn_local(async move {
                    for n in (worker..CHILDREN).step_by(AT_A_TIME) {
                        work(n).await?;
                    }
                    BenchResult::Ok(())
                });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            Ok(())
        })
        .await
}

fn refresh_token(round: usize, n: usize) -> String {
    format!("tGzv3JOkF0XG5Qx2TlKWIA-{round}-{n}")
}

async fn child(client: AsyncOAuth2Client, round: usize, n: usize) -> BenchResult {
    let expired = Token::new("old")
        .with_refresh_token(refresh_token(round, n))
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1));
    let child = client.for_token(expired);
    black_box(child.authorization_header().await?);
    Ok(())
}

async fn by_hand(
    client: reqwest::Client,
    token_endpoint: String,
    round: usize,
    n: usize,
) -> BenchResult {
    let refresh_token = refresh_token(round, n);
    let answer = client
        .post(token_endpoint)
        .form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh_token),
            ("client_id", "id"),
        ])
        .send()
        .await?
        .error_for_status()?;
    let token: Token = serde_json::from_slice(&answer.bytes().await?)?;
    let header = format!("Bearer {}", token.access_token().expose_secret());
    black_box(http::HeaderValue::try_from(header)?);
    Ok(())
}

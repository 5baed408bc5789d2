//! Children (`for_token`) that each have an expired token of their own, beside the same requests by
//! hand: 64 at a time, on one thread, over plain HTTP on loopback, turn by turn in one run. CPU time
//! and allocations of each; the server is a process of its own, which `serve` starts.
//!
//! With `ours COUNT ADDRESS` or `by-hand COUNT ADDRESS` it only renews, for callgrind.

mod cpu;
mod server;

use std::{
    error::Error,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use allocation_counter::measure;
use cpu::{Serving, cpu_time, median, serve};
use oauth_twin::{AsyncOAuth2Client, Token, reqwest};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinSet, LocalSet},
};

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const CHILDREN: usize = 10_000;
const AT_A_TIME: usize = 64;
const ROUNDS: usize = 15;

fn main() -> BenchResult {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .install_default()
        .map_err(|_| "a provider is there already")?;
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["serve"] => serve(),
        [subject, count, address] => {
            let subject = match subject {
                "ours" => Subject::ours(address)?,
                "by-hand" => Subject::by_hand(address),
                _ => return Err("ours or by-hand".into()),
            };
            let runtime = Builder::new_current_thread().enable_all().build()?;
            subject.renew(&runtime, 0, count.parse()?)
        }
        _ => compare(),
    }
}

/// What one round takes, for each child.
#[derive(Clone, Copy)]
struct Figures {
    cpu: f64,
    wall: f64,
    allocations: f64,
}

fn compare() -> BenchResult {
    let server = Serving::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let address = &server.token_endpoint;
    let subjects = [Subject::ours(address)?, Subject::by_hand(address)];
    let mut figures = [const { Vec::new() }; 2];
    // The first round connects.
    for round in 0..=ROUNDS {
        for turn in 0..2 {
            let turn = (round + turn) % 2;
            let (began, cpu_before) = (Instant::now(), cpu_time()?);
            let mut done = Ok(());
            let counted = measure(|| done = subjects[turn].renew(&runtime, round, CHILDREN));
            done?;
            if round > 0 {
                let of_each = |time: Duration| time.as_secs_f64() * 1e6 / CHILDREN as f64;
                figures[turn].push(Figures {
                    cpu: of_each(cpu_time()? - cpu_before),
                    wall: of_each(began.elapsed()),
                    allocations: counted.count_total as f64 / CHILDREN as f64,
                });
            }
        }
    }
    println!("{CHILDREN} children with an expired token each, {AT_A_TIME} at a time; of each:");
    for (name, figures) in ["by hand", "ours"].iter().zip([&figures[1], &figures[0]]) {
        println!(
            "    {name:10} {:6.1} us of CPU time, {:6.1} us, {:.1} allocations",
            median(figures.iter().map(|it| it.cpu)),
            median(figures.iter().map(|it| it.wall)),
            median(figures.iter().map(|it| it.allocations)),
        );
    }
    // Rounds are compared with themselves, as what else the machine does changes from one to the next.
    let ratio = |figure: fn(&Figures) -> f64| {
        let [ours, by_hand] = &figures;
        let pairs = ours.iter().zip(by_hand);
        median(pairs.map(|(ours, by_hand)| figure(ours) / figure(by_hand)))
    };
    println!(
        "    ours beside by hand: {:.2} in CPU time, {:.2} in time",
        ratio(|it| it.cpu),
        ratio(|it| it.wall)
    );
    Ok(())
}

/// Code that renews.
#[derive(Clone)]
enum Subject {
    Ours(AsyncOAuth2Client),
    ByHand(reqwest::Client, Arc<str>),
}

impl Subject {
    fn ours(address: &str) -> BenchResult<Self> {
        let builder = AsyncOAuth2Client::builder("id").token_endpoint(address);
        Ok(Self::Ours(builder.build()?))
    }

    fn by_hand(address: &str) -> Self {
        Self::ByHand(reqwest::Client::new(), address.into())
    }

    fn renew(&self, runtime: &Runtime, round: usize, count: usize) -> BenchResult {
        runtime.block_on(LocalSet::new().run_until(async {
            let mut tasks = JoinSet::new();
            for worker in 0..AT_A_TIME {
                let subject = self.clone();
                tasks.spawn_local(async move {
                    for n in (worker..count).step_by(AT_A_TIME) {
                        match &subject {
                            Self::Ours(client) => child(client, round, n).await?,
                            Self::ByHand(client, url) => by_hand(client, url, round, n).await?,
                        }
                    }
                    BenchResult::Ok(())
                });
            }
            while let Some(done) = tasks.join_next().await {
                done??;
            }
            Ok(())
        }))
    }
}

fn refresh_token(round: usize, n: usize) -> String {
    format!("tGzv3JOkF0XG5Qx2TlKWIA-{round}-{n}")
}

async fn child(client: &AsyncOAuth2Client, round: usize, n: usize) -> BenchResult {
    let expired = Token::new("old")
        .with_refresh_token(refresh_token(round, n))
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1));
    let child = client.for_token(expired);
    black_box(child.authorization_header().await?);
    Ok(())
}

async fn by_hand(client: &reqwest::Client, url: &str, round: usize, n: usize) -> BenchResult {
    let refresh_token = refresh_token(round, n);
    let answer = client
        .post(url)
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

//! CPU time of an authorised request beside bare reqwest as it comes, with many requests at once, on a
//! runtime of one thread and on one with two workers: over plain HTTP on loopback, turn by turn in one
//! run. The server is a process of its own.
//!
//! With `SUBJECT AT_ONCE BATCHES ADDRESS` it only sends batches of one of the subjects, which are
//! numbered, on one thread, for callgrind.

mod cpu;
mod server;

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, SystemTime},
};

use cpu::{Serving, cpu_time, median, serve};
use http::{HeaderValue, header::AUTHORIZATION};
use oauth_twin::{AsyncOAuth2Client, Token, reqwest::Client};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const ACCESS_TOKEN: &str = "mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J";
const HOUR: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 21;
/// Requests that are measured at once.
const BATCH: usize = 4_096;

fn main() -> BenchResult {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .install_default()
        .map_err(|_| "a provider is there already")?;
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["serve"] => return serve(),
        [subject, at_once, batches, url] => {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let subjects = subjects(url)?;
            let (_, subject) = subjects
                .get(subject.parse::<usize>()?)
                .ok_or("no such subject")?;
            for _ in 0..batches.parse()? {
                run(&runtime, subject, at_once.parse()?, url)?;
            }
            return Ok(());
        }
        _ => {}
    }
    let server = Serving::start()?;
    for workers in [0, 2] {
        for at_once in [64, 1_024] {
            compare(workers, at_once, &server.token_endpoint)?;
        }
    }
    Ok(())
}

fn compare(workers: usize, at_once: usize, url: &str) -> BenchResult {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder
        .worker_threads(workers.max(1))
        .enable_all()
        .build()?;
    let subjects = subjects(url)?;
    let mut times = vec![Vec::new(); subjects.len()];
    // The first round connects.
    for round in 0..=ROUNDS {
        for turn in 0..subjects.len() {
            let turn = (round + turn) % subjects.len();
            let began = cpu_time()?;
            run(&runtime, &subjects[turn].1, at_once, url)?;
            if round > 0 {
                times[turn].push((cpu_time()? - began).as_secs_f64() * 1e6 / BATCH as f64);
            }
        }
    }
    println!("{at_once} at once, {workers} workers");
    // Rounds are compared with themselves, as what else the machine does changes from one to the next.
    for ((name, _), of_subject) in subjects.iter().zip(&times) {
        let ratios = of_subject.iter().zip(&times[0]).map(|(it, bare)| it / bare);
        println!(
            "    {name:20} {:6.2} us of CPU time, {:.3} beside bare reqwest",
            median(of_subject.iter().copied()),
            median(ratios),
        );
    }
    Ok(())
}

/// Code that adds the token.
#[derive(Clone)]
enum Subject {
    Bare(Client),
    MadeOnce(Client, HeaderValue),
    OauthTwin(AsyncOAuth2Client),
}

fn subjects(url: &str) -> BenchResult<[(&'static str, Subject); 4]> {
    let mut header = HeaderValue::try_from(format!("Bearer {ACCESS_TOKEN}"))?;
    header.set_sensitive(true);
    let token = Token::new(ACCESS_TOKEN).with_expires_at(SystemTime::now() + HOUR);
    let ours = |token| {
        let client = AsyncOAuth2Client::builder("id").token_endpoint(url);
        client.token(token).build().map(Subject::OauthTwin)
    };
    Ok([
        ("bare", Subject::Bare(Client::new())),
        ("header made once", Subject::MadeOnce(Client::new(), header)),
        ("oauth-twin", ours(token.clone())?),
        (
            "oauth-twin, retry on",
            ours(token.with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA"))?,
        ),
    ])
}

/// Sends all requests of a batch, `at_once` of them at a time.
fn run(runtime: &Runtime, subject: &Subject, at_once: usize, url: &str) -> BenchResult {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..at_once {
            let (subject, url) = (subject.clone(), url.to_owned());
            tasks.spawn(async move {
                for _ in 0..BATCH / at_once {
                    subject.send(&url).await?;
                }
                BenchResult::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    })
}

impl Subject {
    async fn send(&self, url: &str) -> BenchResult {
        let response = match self {
            Self::Bare(client) => client.get(url).send().await?,
            Self::MadeOnce(client, header) => {
                let request = client.get(url).header(AUTHORIZATION, header.clone());
                request.send().await?
            }
            Self::OauthTwin(client) => client.get(url).send().await?,
        };
        black_box(response.bytes().await?);
        Ok(())
    }
}

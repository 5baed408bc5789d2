//! A crowd meets one expired token. Fails if the endpoint is asked more than once; how long it
//! takes until all have a token is reported.

mod support;

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use oauth_twin::{AsyncOAuth2Client, OAuth2Client, Token, http_client_builder};
use support::{BenchResult, interleaved::median, is_bench_run, server::Server};
use tokio::sync::Barrier as AsyncBarrier;

const TASKS: usize = 1000;
const THREADS: usize = 64;
const ROUNDS: usize = 7;
/// The time that the endpoint takes.
const DELAY: Duration = Duration::from_millis(100);

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (mut alone, mut tasks, mut threads) = ([0.0; ROUNDS], [0.0; ROUNDS], [0.0; ROUNDS]);
    for round in 0..ROUNDS {
        alone[round] = one_call()?.as_secs_f64();
        tasks[round] = runtime.block_on(crowd_of_tasks())?.as_secs_f64();
        threads[round] = crowd_of_threads()?.as_secs_f64();
    }
    let alone = median(&mut alone);
    println!("one call of the endpoint: {:.1} ms", alone * 1e3);
    for (who, times) in [
        (format!("{TASKS} tasks"), &mut tasks),
        (format!("{THREADS} threads"), &mut threads),
    ] {
        let time = median(times);
        println!(
            "{who}: 1 token request, all released after {:.1} ms: {:.3} of one call",
            time * 1e3,
            time / alone
        );
    }
    Ok(())
}

fn expired() -> Token {
    Token::new("old")
        .with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA")
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1))
}

/// The endpoint's own time: bare reqwest, on a connection of its own.
fn one_call() -> BenchResult<Duration> {
    let server = Server::start(DELAY)?;
    let client = http_client_builder().build()?;
    let started = Instant::now();
    client
        .post(server.url("/token"))
        .body("x")
        .send()?
        .bytes()?;
    Ok(started.elapsed())
}

async fn crowd_of_tasks() -> BenchResult<Duration> {
    let server = Server::start(DELAY)?;
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .token(expired())
        .build()?;
    let gate = Arc::new(AsyncBarrier::new(TASKS + 1));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (client, gate) = (client.clone(), gate.clone());
            tokio::spawn(async move {
                gate.wait().await;
                client.authorization_header().await
            })
        })
        .collect();
    gate.wait().await;
    let started = Instant::now();
    for task in tasks {
        task.await??;
    }
    asked_once(&server, started.elapsed())
}

fn crowd_of_threads() -> BenchResult<Duration> {
    let server = Server::start(DELAY)?;
    let client = OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .token(expired())
        .build()?;
    let gate = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (client, gate) = (client.clone(), gate.clone());
            thread::spawn(move || {
                gate.wait();
                client.authorization_header()
            })
        })
        .collect();
    gate.wait();
    let started = Instant::now();
    for thread in threads {
        thread.join().expect("no panic")?;
    }
    asked_once(&server, started.elapsed())
}

fn asked_once(server: &Server, time: Duration) -> BenchResult<Duration> {
    match server.token_requests() {
        1 => Ok(time),
        count => Err(format!("{count} token requests instead of 1").into()),
    }
}

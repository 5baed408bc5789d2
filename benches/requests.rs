//! Times: an authorised request beside bare reqwest, the token step, a further client, and
//! reading a token answer.
//!
//! Run it on one processor (`taskset -c 0`), or what is measured is how the kernel spreads threads.

mod support;

use std::{
    cell::RefCell,
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use oauth_twin::{
    oauth2::{
        AuthorizationServer, ClientCredentials, ClientRegistration, EndpointResponse, TokenEndpoint,
    },
    reqwest::{
        Method, Request, StatusCode,
        header::{AUTHORIZATION, HeaderMap},
    },
};
use support::{
    ANSWER, BenchResult,
    clients::{Bare, Ours, header, renewable_token, token},
    interleaved::median,
    server::Server,
};
use tokio::runtime::Runtime;

fn main() -> BenchResult {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    requests(&mut criterion, &runtime)?;
    token_step(&mut criterion, &runtime)?;
    construction(&mut criterion, &runtime)?;
    parsing(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Measures `work` beside `bare`, turn by turn, and prints the ratio of their medians: the
/// machine's moods fall on both alike.
fn beside(criterion: &mut Criterion, name: &str, mut bare: impl FnMut(), mut work: impl FnMut()) {
    let times = RefCell::new((Vec::new(), Vec::new()));
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (bare_times, work_times) = &mut *times.borrow_mut();
            let mut total = Duration::ZERO;
            for turn in 0..iterations {
                // Who goes first changes, as the second finds warmer caches.
                let (bare_time, work_time) = if turn % 2 == 0 {
                    (time(&mut bare), time(&mut work))
                } else {
                    let work_time = time(&mut work);
                    (time(&mut bare), work_time)
                };
                bare_times.push(bare_time.as_secs_f64());
                work_times.push(work_time.as_secs_f64());
                total += work_time;
            }
            total
        });
    });
    let (mut bare_times, mut work_times) = times.into_inner();
    if !work_times.is_empty() {
        let (bare, work) = (median(&mut bare_times), median(&mut work_times));
        println!(
            "{name}: {:.1} µs, bare reqwest {:.1} µs, ratio {:.3}\n",
            work * 1e6,
            bare * 1e6,
            work / bare
        );
    }
}

fn time(work: &mut impl FnMut()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn requests(criterion: &mut Criterion, runtime: &Runtime) -> BenchResult {
    let server = Server::start(Duration::ZERO)?;
    let (url, header) = (&*server.url("/api"), header());

    for bare in [Bare::Default, Bare::SameSettings] {
        let bare_client = bare.asynchronous()?;
        let bare_get = || {
            runtime.block_on(async {
                let request = bare_client.get(url).header(AUTHORIZATION, header.clone());
                let response = request.send().await.expect("an answer");
                black_box(response.bytes().await.expect("a body"));
            });
        };
        for ours in [Ours::NothingToRenew, Ours::RetryOn] {
            let client = ours.asynchronous()?;
            let get = || {
                runtime.block_on(async {
                    let response = client.get(url).send().await.expect("an answer");
                    black_box(response.bytes().await.expect("a body"));
                });
            };
            let name = format!("async request, {ours:?}, beside {bare:?}");
            beside(criterion, &name, bare_get, get);
        }
    }

    for bare in [Bare::Default, Bare::SameSettings] {
        let bare_client = bare.blocking()?;
        let bare_get = || {
            let request = bare_client.get(url).header(AUTHORIZATION, header.clone());
            let response = request.send().expect("an answer");
            black_box(response.bytes().expect("a body"));
        };
        for ours in [Ours::NothingToRenew, Ours::RetryOn] {
            let client = ours.blocking()?;
            let get = || {
                let response = client.get(url).send().expect("an answer");
                black_box(response.bytes().expect("a body"));
            };
            let name = format!("blocking request, {ours:?}, beside {bare:?}");
            beside(criterion, &name, bare_get, get);
        }
    }
    Ok(())
}

fn token_step(criterion: &mut Criterion, runtime: &Runtime) -> BenchResult {
    let (asynchronous, blocking) = (Ours::RetryOn.asynchronous()?, Ours::RetryOn.blocking()?);
    criterion.bench_function("blocking authorization_header", |bencher| {
        bencher.iter(|| blocking.authorization_header().expect("a header"));
    });
    // Within one `block_on`, whose own cost would be the larger part.
    criterion.bench_function("async authorization_header", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..iterations {
                    black_box(asynchronous.authorization_header().await.expect("a header"));
                }
                started.elapsed()
            })
        });
    });
    let mut request = Request::new(Method::GET, "https://api.example/".parse()?);
    criterion.bench_function("async authorize", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..iterations {
                    request.headers_mut().clear();
                    let authorized = asynchronous.authorize(black_box(&mut request)).await;
                    authorized.expect("a header");
                }
                started.elapsed()
            })
        });
    });
    Ok(())
}

fn construction(criterion: &mut Criterion, runtime: &Runtime) -> BenchResult {
    let _in_runtime = runtime.enter();
    let parent = Ours::NothingToRenew.asynchronous()?;
    let token = token();
    criterion.bench_function("for_token", |bencher| {
        bencher.iter(|| parent.for_token(token.clone()));
    });
    let token = renewable_token();
    let _sibling = parent.for_token(token.clone());
    criterion.bench_function("for_token, a refresh token in use", |bencher| {
        bencher.iter(|| parent.for_token(token.clone()));
    });
    let mut number = 0_u64;
    criterion.bench_function("for_token, a new refresh token", |bencher| {
        bencher.iter(|| {
            number += 1;
            parent.for_token(token.clone().with_refresh_token(number.to_string()))
        });
    });
    criterion.bench_function("a further client", |bencher| {
        bencher.iter(|| Ours::NothingToRenew.asynchronous().expect("a client"));
    });
    Ok(())
}

fn parsing(criterion: &mut Criterion) -> BenchResult {
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    let request = endpoint.request(&ClientCredentials::new())?;
    let headers = HeaderMap::new();
    criterion.bench_function("reading a token answer", |bencher| {
        bencher.iter(|| {
            let body = black_box(ANSWER.as_bytes());
            endpoint
                .read_response(
                    &request,
                    EndpointResponse::new(StatusCode::OK, headers.clone(), body),
                )
                .expect("a token")
        });
    });
    Ok(())
}

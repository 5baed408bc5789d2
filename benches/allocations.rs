//! Allocations per operation, and the memory that a client holds. Fails where a goal is missed.
//!
//! Counted is the thread that calls: the async client does all its work there, on a runtime of
//! one thread, and of a blocking request all but what reqwest does on its own thread.

mod support;

use std::{hint::black_box, time::Duration};

use allocation_counter::{AllocationInfo, measure};
use oauth_twin::{
    Token,
    oauth2::{
        AuthorizationServer, ClientCredentials, ClientRegistration, EndpointResponse, PublicClient,
        TokenEndpoint,
    },
    reqwest::{
        Method, Request, StatusCode,
        header::{AUTHORIZATION, HeaderMap},
    },
};
use support::{
    BenchResult,
    assertions::{self, Case},
    clients::{Bare, Ours, header, long_token},
    interleaved::median,
    is_bench_run,
    server::Server,
    users::{name, users},
};

const SAMPLES: usize = 101;

/// Figures beyond their goals.
#[derive(Default)]
struct Missed(Vec<String>);

impl Missed {
    fn at_most(&mut self, what: &str, goal: i64, figure: i64) {
        if figure > goal {
            self.0.push(format!("{what}: {figure}, the goal is {goal}"));
        }
    }
}

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let mut missed = Missed::default();
    let server = Server::start(Duration::ZERO)?;
    requests(&server.url("/api"), &mut missed)?;
    token_step(&mut missed)?;
    construction(&mut missed)?;
    parsing()?;
    client_assertions()?;
    if missed.0.is_empty() {
        return Ok(());
    }
    Err(missed.0.join("; ").into())
}

/// The allocations of one `work`, as most often seen.
fn count(mut work: impl FnMut() -> BenchResult) -> BenchResult<i64> {
    // Connections, pools and buffers are there from the second time on.
    for _ in 0..10 {
        work()?;
    }
    let mut counts = [0; SAMPLES];
    for count in &mut counts {
        let mut done = Ok(());
        let info = measure(|| done = work());
        done?;
        *count = i64::try_from(info.count_total)?;
    }
    Ok(median(&mut counts))
}

fn requests(url: &str, missed: &mut Missed) -> BenchResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let header = header();

    let bare = |bare: Bare| {
        let client = bare.asynchronous()?;
        count(|| {
            runtime.block_on(async {
                let request = client.get(url).header(AUTHORIZATION, header.clone());
                black_box(request.send().await?.bytes().await?);
                Ok(())
            })
        })
    };
    let ours = |ours: Ours| {
        let client = ours.asynchronous()?;
        count(|| {
            runtime.block_on(async {
                black_box(client.get(url).send().await?.bytes().await?);
                Ok(())
            })
        })
    };
    compare("async request", bare, ours, missed)?;

    let bare = |bare: Bare| {
        let client = bare.blocking()?;
        count(|| {
            let request = client.get(url).header(AUTHORIZATION, header.clone());
            black_box(request.send()?.bytes()?);
            Ok(())
        })
    };
    let ours = |ours: Ours| {
        let client = ours.blocking()?;
        count(|| {
            black_box(client.get(url).send()?.bytes()?);
            Ok(())
        })
    };
    compare("blocking request", bare, ours, missed)
}

fn compare(
    what: &str,
    bare: impl Fn(Bare) -> BenchResult<i64>,
    ours: impl Fn(Ours) -> BenchResult<i64>,
    missed: &mut Missed,
) -> BenchResult {
    let by_default = bare(Bare::Default)?;
    println!("{what}, bare reqwest: {by_default} allocations");
    for (which, goal) in [
        (Ours::NothingToRenew, 0),
        (Ours::RetryOff, 0),
        (Ours::RetryOn, 2),
    ] {
        let figure = ours(which)?;
        let added = figure - by_default;
        println!("{what}, {which:?}: {figure}, {added:+}");
        missed.at_most(&format!("{what}, {which:?}"), goal, added);
    }
    Ok(())
}

fn token_step(missed: &mut Missed) -> BenchResult {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (asynchronous, blocking) = (Ours::RetryOn.asynchronous()?, Ours::RetryOn.blocking()?);
    let mut request = Request::new(Method::GET, "https://api.example/".parse()?);
    for (what, figure) in [
        (
            "async authorization_header",
            count(|| {
                black_box(runtime.block_on(asynchronous.authorization_header())?);
                Ok(())
            })?,
        ),
        (
            "blocking authorization_header",
            count(|| {
                black_box(blocking.authorization_header()?);
                Ok(())
            })?,
        ),
        (
            "async authorize",
            count(|| {
                request.headers_mut().clear();
                runtime.block_on(asynchronous.authorize(&mut request))?;
                Ok(())
            })?,
        ),
    ] {
        println!("{what}: {figure} allocations");
        missed.at_most(what, 0, figure);
    }
    Ok(())
}

fn construction(missed: &mut Missed) -> BenchResult {
    const CHILDREN: usize = 1000;
    const USERS: usize = 10_000;
    let parent = Ours::NothingToRenew.asynchronous()?;
    let children = |token: &dyn Fn(usize) -> Token| {
        let mut kept = Vec::with_capacity(CHILDREN);
        measure(|| kept.extend((0..CHILDREN).map(|n| parent.for_token(token(n)))))
    };
    for (what, goal, info) in [
        ("for_token", 700, children(&|_| long_token())),
        (
            "for_token with a refresh token",
            // Its entry in the table included, whose share depends on how full the table is.
            820,
            children(&|n| long_token().with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"))),
        ),
    ] {
        let each = AllocationInfo {
            count_total: info.count_total / CHILDREN as u64,
            bytes_current: info.bytes_current / CHILDREN as i64,
            ..info
        };
        println!(
            "{what}, the token's own included: {} bytes held, {} allocations",
            each.bytes_current, each.count_total
        );
        missed.at_most(what, goal, each.bytes_current);
    }

    let client = users(USERS)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut in_use = Vec::with_capacity(USERS);
    let load = |n| {
        let user = client.for_user(name(n));
        runtime.block_on(user.ensure_active_token()).map(|_| user)
    };
    let idle = measure(|| (0..USERS).for_each(|n| drop(load(n))));
    let used = measure(|| in_use.extend((0..USERS).map(load)));
    for user in &in_use {
        assert!(user.is_ok());
    }
    let idle = idle.bytes_current / USERS as i64;
    let used = idle + used.bytes_current / USERS as i64;
    println!(
        "a user, the token's own and that of the store included, not the row: {idle} bytes held while idle, {used} in use"
    );
    missed.at_most("a user in use", 1024, used);

    // The first client has loaded the roots above.
    let mut kept = None;
    let info = measure(|| kept = Some(Ours::NothingToRenew.asynchronous()));
    println!(
        "a further async client: {} bytes held, {} allocations",
        info.bytes_current, info.count_total
    );
    let mut kept = None;
    let info = measure(|| kept = Some(Bare::SameSettings.asynchronous()));
    println!(
        "a further bare reqwest client on the same roots: {} bytes held, {} allocations",
        info.bytes_current, info.count_total
    );
    Ok(())
}

fn parsing() -> BenchResult {
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    let request = endpoint.request(&ClientCredentials::new())?;
    let headers = HeaderMap::new();
    let figure = count(|| {
        let body = support::ANSWER.as_bytes();
        black_box(endpoint.read_response(
            &request,
            EndpointResponse::new(StatusCode::OK, headers.clone(), body),
        )?);
        Ok(())
    })?;
    println!("reading a token answer: {figure} allocations");
    Ok(())
}

/// Beyond the same request of a public client.
fn client_assertions() -> BenchResult {
    let grant = ClientCredentials::new();
    for case in Case::all() {
        let endpoint = assertions::endpoint(&case)?;
        let public = endpoint.clone().auth_method(PublicClient);
        let [with, without] = [&endpoint, &public].map(|endpoint| {
            count(|| {
                black_box(endpoint.request(&grant)?);
                Ok(())
            })
        });
        let key = case.signing_key()?;
        let token = count(|| {
            black_box(assertions::token(&key)?);
            Ok(())
        })?;
        println!(
            "a client assertion by {}: {} allocations, its token alone {token}",
            case.algorithm,
            with? - without?
        );
    }
    Ok(())
}

//! Allocations per operation, and the memory that a client holds. Fails where a goal is missed.
//!
//! Counted is the thread that calls: the async client does all its work there, on a runtime of
//! one thread, and of a blocking request all but what reqwest does on its own thread.

mod support;

use std::{
    hint::black_box,
    time::{Duration, UNIX_EPOCH},
};

use allocation_counter::{AllocationInfo, measure};
use oauth_twin::{
    AsyncOAuth2Client, Token,
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
    clients::{Bare, LONG_ACCESS_TOKEN, Ours, header, long_token},
    interleaved::median,
    is_bench_run,
    server::Server,
    users::{name, users},
};
use tokio::runtime::{Builder, Runtime};

const SAMPLES: usize = 101;
const RENEWALS: usize = 1000;
const TASKS: usize = 10_000;

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
    let runtime = Builder::new_current_thread().enable_all().build()?;
    renewals(&runtime, &mut missed)?;
    storm(&runtime, &mut missed)?;
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

fn expired(n: usize) -> Token {
    long_token()
        .with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"))
        .with_issued_at(UNIX_EPOCH)
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1))
}

fn client(delay: Duration) -> BenchResult<(Server, AsyncOAuth2Client)> {
    let server = Server::with_tokens(delay, |n| {
        format!(
            r#"{{"access_token":"{LONG_ACCESS_TOKEN}","token_type":"Bearer","expires_in":3600,"refresh_token":"2YotnFZFEjr1zCsicM{n:04}"}}"#
        )
    })?;
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .build()?;
    Ok((server, client))
}

/// Children that are renewed and dropped.
fn renewals(runtime: &Runtime, missed: &mut Missed) -> BenchResult {
    let (server, client) = client(Duration::ZERO)?;
    let renew = |numbers: std::ops::Range<usize>| -> BenchResult<AllocationInfo> {
        let mut done = Ok(());
        let info = measure(|| {
            done = runtime.block_on(async {
                for n in numbers {
                    client.for_token(expired(n)).ensure_active_token().await?;
                }
                Ok(())
            });
        });
        done.map(|()| info)
    };
    // Connections and buffers are there from the second time on.
    renew(0..10)?;
    let info = renew(10..10 + RENEWALS)?;
    assert_eq!(server.token_requests(), 10 + RENEWALS);
    let count = i64::try_from(info.count_total)? / RENEWALS as i64;
    let dropped = info.bytes_current / RENEWALS as i64;
    println!(
        "a child, its token's making and its renewal: {count} allocations; dropped: {dropped} bytes held"
    );
    missed.at_most("the allocations of a renewal", 72, count);
    missed.at_most("a child that was renewed and dropped", 275, dropped);
    Ok(())
}

/// Memory of tasks that wait in `send` for the renewal of one token.
fn storm(runtime: &Runtime, missed: &mut Missed) -> BenchResult {
    const DELAY: Duration = Duration::from_secs(2);
    let (server, client) = client(DELAY)?;
    let child = client.for_token(expired(0));
    let info = measure(|| {
        runtime.block_on(async {
            let send = |_| tokio::spawn(child.get("https://api.example/").send());
            let tasks: Vec<_> = (0..TASKS).map(send).collect();
            tokio::time::sleep(DELAY / 2).await;
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
        });
    });
    assert_eq!(server.token_requests(), 1);
    println!(
        "{TASKS} tasks on one expired token: 1 request, {:.1} MB",
        info.bytes_max as f64 / 1e6
    );
    let each = i64::try_from(info.bytes_max)? / TASKS as i64;
    missed.at_most("a task that waits for a renewal", 2000, each);
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

//! A crowd of tasks meets one expired token, with this library and with peers: how many token
//! requests that makes, and how long it takes until all have a token. Nothing is asserted.
//!
//! The argument is the number of tasks, 1,000 without one. A library that sends a request for each of
//! them is left out above 1,000, as the endpoint would run out of connections.

mod server;
mod yup;

use std::{
    error::Error,
    future::Future,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use http::{Method, Uri};
use huskarl::{
    authorizer::HttpAuthorizer,
    cache::{
        GrantTokenSource, InMemoryRefreshTokenStore, InMemoryTokenCache, NoSource,
        RefreshTokenStore,
    },
    grant::refresh::RefreshGrant,
    token::RefreshToken,
};
use huskarl_reqwest::ReqwestClient;
use oauth_twin::{AsyncOAuth2Client, Token, reqwest};
use server::Server;
use time::OffsetDateTime;
use tokio::{
    sync::{Barrier, Mutex},
    time::{sleep, timeout},
};
use yup_oauth2::storage::TokenInfo;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const TASKS: usize = 1000;
const ROUNDS: usize = 11;
/// The time that the endpoint takes.
const DELAY: Duration = Duration::from_millis(100);
/// After this, something hangs.
const TOO_LONG: Duration = Duration::from_secs(60);
const REFRESH_TOKEN: &str = "tGzv3JOkF0XG5Qx2TlKWIA";
const API: &str = "https://api.example/reports";

#[derive(Clone, Copy, Debug)]
enum Subject {
    OneCall,
    ByHand,
    OauthTwin,
    Huskarl,
    YupOauth2,
}

impl Subject {
    const ALL: [Self; 5] = [
        Self::OneCall,
        Self::ByHand,
        Self::OauthTwin,
        Self::Huskarl,
        Self::YupOauth2,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::OneCall => "one call by bare reqwest",
            Self::ByHand => "a mutex and bare reqwest",
            Self::OauthTwin => "oauth-twin",
            Self::Huskarl => "huskarl",
            Self::YupOauth2 => "yup-oauth2",
        }
    }

    async fn run(self, server: &Server, tasks: usize) -> BenchResult<Duration> {
        match self {
            Self::OneCall => one_call(server).await,
            Self::ByHand => by_hand(server, tasks).await,
            Self::OauthTwin => oauth_twin(server, tasks).await,
            Self::Huskarl => huskarl(server, tasks).await,
            Self::YupOauth2 => yup_oauth2(server, tasks).await,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    requests: usize,
    /// As a ratio of [`DELAY`].
    time: f64,
}

fn main() -> BenchResult {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .install_default()
        .map_err(|_| "a provider is there already")?;
    let tasks = match std::env::args().nth(1) {
        Some(tasks) => tasks.parse()?,
        None => TASKS,
    };
    let subjects = match tasks {
        ..=TASKS => &Subject::ALL[..],
        _ => &Subject::ALL[..4],
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut outcomes = vec![Vec::with_capacity(ROUNDS); subjects.len()];
    // The first round warms up; the others each begin with another subject.
    for round in 0..=ROUNDS {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            let outcome = runtime.block_on(measure(subjects[index], tasks))?;
            if round > 0 {
                outcomes[index].push(outcome);
            }
        }
    }
    println!(
        "{tasks} tasks, an endpoint that answers after {DELAY:?}, {ROUNDS} rounds: \
         median (least to most)"
    );
    println!(
        "{:26}{:>24}{:>28}",
        "", "token requests", "until all have a token"
    );
    for (subject, outcomes) in subjects.iter().zip(&outcomes) {
        let (low, middle, high) = spread(outcomes, |outcome| outcome.requests as f64);
        let requests = format!("{middle} ({low} to {high})");
        let (low, middle, high) = spread(outcomes, |outcome| outcome.time);
        let time = format!("{middle:.2} ({low:.2} to {high:.2})");
        println!("{:26}{requests:>24}{time:>28}", subject.name());
    }
    Ok(())
}

async fn measure(subject: Subject, tasks: usize) -> BenchResult<Outcome> {
    let server = Server::start(DELAY)?;
    let time = timeout(TOO_LONG, subject.run(&server, tasks)).await??;
    let outcome = Outcome {
        requests: server.token_requests(),
        time: time.as_secs_f64() / DELAY.as_secs_f64(),
    };
    drop(server);
    // Let connections close, so that the next turn begins in quiet.
    sleep(DELAY).await;
    Ok(outcome)
}

/// The least, the middle and the greatest value.
fn spread(outcomes: &[Outcome], value: impl FnMut(&Outcome) -> f64) -> (f64, f64, f64) {
    let mut values: Vec<_> = outcomes.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

async fn one_call(server: &Server) -> BenchResult<Duration> {
    let client = reqwest::Client::new();
    let started = Instant::now();
    client
        .post(server.token_endpoint())
        .body("x")
        .send()
        .await?
        .bytes()
        .await?;
    Ok(started.elapsed())
}

/// The least: whoever has the lock asks, and the others find the token.
async fn by_hand(server: &Server, tasks: usize) -> BenchResult<Duration> {
    let shared = Arc::new((
        reqwest::Client::new(),
        server.token_endpoint(),
        Mutex::new(None::<reqwest::header::HeaderValue>),
    ));
    crowd(tasks, || {
        let shared = shared.clone();
        async move {
            let (client, endpoint, token) = &*shared;
            let mut token = token.lock().await;
            if token.is_none() {
                let request = client.post(endpoint).body("x");
                let answer: Token = request.send().await?.json().await?;
                let header = format!("Bearer {}", answer.access_token().expose_secret());
                *token = header.parse().ok();
            }
            Ok::<_, reqwest::Error>(token.clone())
        }
    })
    .await
}

async fn oauth_twin(server: &Server, tasks: usize) -> BenchResult<Duration> {
    let expired = Token::new("old")
        .with_refresh_token(REFRESH_TOKEN)
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1));
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(server.token_endpoint())
        .token(expired)
        .build()?;
    crowd(tasks, || {
        let client = client.clone();
        async move { client.authorization_header().await }
    })
    .await
}

/// As a program is that was started anew: it has its refresh token, and no access token yet.
async fn huskarl(server: &Server, tasks: usize) -> BenchResult<Duration> {
    let grant = RefreshGrant::builder()
        .token_endpoint(server.token_endpoint().parse()?)
        .client_id("id")
        .http_client(ReqwestClient::builder().build().await?)
        .build();
    let store = InMemoryRefreshTokenStore::default();
    store
        .set(&RefreshToken::new(REFRESH_TOKEN.into(), None))
        .await?;
    let source = GrantTokenSource::builder()
        .grant(grant)
        .grant_parameters(NoSource)
        .refresh_store(store)
        .build();
    let cache = InMemoryTokenCache::builder().source(source).build();
    let authorizer = Arc::new(HttpAuthorizer::builder().cache(cache).build());
    let api = Uri::from_static(API);
    crowd(tasks, || {
        let (authorizer, api) = (authorizer.clone(), api.clone());
        async move { authorizer.get_headers(&Method::GET, &api).await }
    })
    .await
}

async fn yup_oauth2(server: &Server, tasks: usize) -> BenchResult<Duration> {
    let expired = TokenInfo {
        access_token: Some("old".to_owned()),
        refresh_token: Some(REFRESH_TOKEN.to_owned()),
        expires_at: Some(OffsetDateTime::UNIX_EPOCH),
        id_token: None,
    };
    let authenticator = yup::authenticator(server.token_endpoint(), expired).await?;
    crowd(tasks, || {
        let authenticator = authenticator.clone();
        async move { authenticator.token(&yup::SCOPES).await }
    })
    .await
}

/// The time from when all tasks may ask for a token until the last of them has one.
async fn crowd<F, T, E>(tasks: usize, mut get_token: impl FnMut() -> F) -> BenchResult<Duration>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Error + Send + Sync + 'static,
{
    let gate = Arc::new(Barrier::new(tasks + 1));
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (gate, get_token) = (gate.clone(), get_token());
            tokio::spawn(async move {
                // Once to say that the task runs, and once to be let go.
                gate.wait().await;
                gate.wait().await;
                get_token.await
            })
        })
        .collect();
    gate.wait().await;
    let started = Instant::now();
    gate.wait().await;
    for task in tasks {
        task.await??;
    }
    Ok(started.elapsed())
}

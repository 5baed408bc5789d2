//! One authorised request beside peers and beside bare reqwest as it comes, over plain HTTP on
//! loopback: CPU time of the process, turn by turn in one run.
//!
//! With `serve` it is the server, and with `SUBJECT COUNT ADDRESS` it only sends requests; both are
//! for `instructions.sh`, which counts by callgrind.

mod dpop;
mod server;
mod yup;

use std::{
    error::Error,
    hint::black_box,
    io::Read as _,
    sync::RwLock,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use http::{Extensions, HeaderValue, Method, Uri, header::AUTHORIZATION};
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
use oauth_twin::{
    AsyncOAuth2Client, Token,
    jose::{Algorithm, SigningKey},
    oauth2::DpopKey,
    reqwest::{Client, Request, Response},
};
use oauth2::{TokenResponse as _, basic::BasicTokenResponse};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use server::Server;
use time::OffsetDateTime;
use yup_oauth2::storage::TokenInfo;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const ACCESS_TOKEN: &str = "mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J";
const REFRESH_TOKEN: &str = "tGzv3JOkF0XG5Qx2TlKWIA";
const HOUR: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 31;
/// Requests that are measured at once.
const BATCH: usize = 200;

const SUBJECTS: [&str; 11] = [
    "bare",
    "cached-header",
    "oauth-twin",
    "oauth-twin-retry",
    "oauth2-by-hand",
    "oauth2-by-hand-with-user-agent",
    "reqwest-middleware",
    "yup-oauth2",
    "huskarl",
    "oauth-twin-dpop",
    "huskarl-dpop",
];

fn main() -> BenchResult {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .install_default()
        .map_err(|_| "a provider is there already")?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match *arguments.as_slice() {
        ["serve"] => {
            let server = Server::start(Duration::ZERO)?;
            println!("{}", server.token_endpoint());
            std::io::stdin().read_to_end(&mut Vec::new())?;
            Ok(())
        }
        [subject, count, url] => runtime.block_on(async {
            let subject = Subject::new(subject, url).await?;
            subject.run(count.parse()?, url).await
        }),
        _ => runtime.block_on(compare()),
    }
}

/// CPU time of this thread, on which a client does all its work.
async fn compare() -> BenchResult {
    let server = Server::start(Duration::ZERO)?;
    let url = server.token_endpoint();
    let mut subjects = Vec::new();
    for name in SUBJECTS {
        subjects.push((name, Subject::new(name, &url).await?, Vec::new()));
    }
    let count = subjects.len();
    for round in 0..=ROUNDS {
        for turn in 0..count {
            let (_, subject, times) = &mut subjects[(round + turn) % count];
            let began = cpu_time()?;
            subject.run(BATCH, &url).await?;
            if round > 0 {
                times.push((cpu_time()? - began).as_secs_f64() * 1e6 / BATCH as f64);
            }
        }
    }
    let medians = subjects.iter_mut().map(|(name, _, times)| {
        times.sort_by(f64::total_cmp);
        (*name, times[times.len() / 2])
    });
    let medians: Vec<_> = medians.collect();
    for (name, median) in &medians {
        println!(
            "{name:20} {median:6.2} us of CPU time, {:.3} beside bare reqwest",
            median / medians[0].1
        );
    }
    Ok(())
}

/// Of `/proc/thread-self/schedstat`, whose first number is in nanoseconds.
fn cpu_time() -> BenchResult<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let time = statistics.split(' ').next().ok_or("no time")?;
    Ok(Duration::from_nanos(time.parse()?))
}

type Authorizer = Box<dyn AsyncAuthorizer>;

/// huskarl's authorizer, whose type has no short name.
#[async_trait]
trait AsyncAuthorizer: Send + Sync {
    async fn headers(&self, url: &Uri) -> BenchResult<http::HeaderMap>;
}

/// Code that adds the token.
enum Subject {
    Bare(Client),
    CachedHeader(Client, RwLock<HeaderValue>),
    OauthTwin(AsyncOAuth2Client),
    ByHand(Client, BasicTokenResponse),
    Middleware(reqwest_middleware::ClientWithMiddleware),
    Yup(Client, yup_oauth2::authenticator::DefaultAuthenticator),
    Huskarl(Client, Authorizer, Uri),
    HuskarlDpop(Box<dpop::Huskarl>),
}

impl Subject {
    async fn new(name: &str, url: &str) -> BenchResult<Self> {
        let header = || {
            let mut header = HeaderValue::try_from(format!("Bearer {ACCESS_TOKEN}"))?;
            header.set_sensitive(true);
            BenchResult::Ok(header)
        };
        let token = Token::new(ACCESS_TOKEN).with_expires_at(SystemTime::now() + HOUR);
        let ours = |token| {
            AsyncOAuth2Client::builder("id")
                .token_endpoint(url)
                .token(token)
                .build()
        };
        Ok(match name {
            "bare" => Self::Bare(Client::new()),
            "cached-header" => Self::CachedHeader(Client::new(), RwLock::new(header()?)),
            "oauth-twin" => Self::OauthTwin(ours(token)?),
            "oauth-twin-retry" => Self::OauthTwin(ours(token.with_refresh_token(REFRESH_TOKEN))?),
            "oauth2-by-hand" | "oauth2-by-hand-with-user-agent" => {
                // Which the requests of the library have, as some APIs refuse those without one.
                let client = match name {
                    "oauth2-by-hand" => Client::new(),
                    _ => Client::builder().user_agent("by-hand/1.0").build()?,
                };
                let answer = format!(
                    r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"Bearer","expires_in":3600}}"#
                );
                Self::ByHand(client, serde_json::from_str(&answer)?)
            }
            "reqwest-middleware" => {
                let token = AddToken(RwLock::new(ACCESS_TOKEN.to_owned()));
                Self::Middleware(ClientBuilder::new(Client::new()).with(token).build())
            }
            "yup-oauth2" => {
                let token = TokenInfo {
                    access_token: Some(ACCESS_TOKEN.to_owned()),
                    refresh_token: Some(REFRESH_TOKEN.to_owned()),
                    expires_at: Some(OffsetDateTime::now_utc() + HOUR),
                    id_token: None,
                };
                Self::Yup(
                    Client::new(),
                    yup::authenticator(url.to_owned(), token).await?,
                )
            }
            "huskarl" => Self::Huskarl(Client::new(), huskarl(url).await?, url.parse()?),
            "oauth-twin-dpop" => {
                let key = SigningKey::from_der(Algorithm::ES256, dpop::key()?)?;
                let key = DpopKey::new(key)?;
                let token = token.with_refresh_token(REFRESH_TOKEN).with_dpop_key(&key);
                let client = AsyncOAuth2Client::builder("id").token_endpoint(url);
                Self::OauthTwin(client.token(token).dpop(key).build()?)
            }
            "huskarl-dpop" => Self::HuskarlDpop(Box::new(dpop::Huskarl::new(url)?)),
            _ => return Err("no such subject".into()),
        })
    }

    async fn run(&self, count: usize, url: &str) -> BenchResult {
        for _ in 0..count {
            black_box(self.send(url).await?.bytes().await?);
        }
        Ok(())
    }

    async fn send(&self, url: &str) -> BenchResult<Response> {
        Ok(match self {
            Self::Bare(client) => client.get(url).send().await?,
            Self::CachedHeader(client, header) => {
                let header = header.read().expect("no panic").clone();
                client.get(url).header(AUTHORIZATION, header).send().await?
            }
            Self::OauthTwin(client) => client.get(url).send().await?,
            Self::ByHand(client, token) => {
                let token = token.access_token().secret();
                client.get(url).bearer_auth(token).send().await?
            }
            Self::Middleware(client) => client.get(url).send().await?,
            Self::Yup(client, authenticator) => {
                let token = authenticator.token(&yup::SCOPES).await?;
                let token = token.token().ok_or("no token")?;
                client.get(url).bearer_auth(token).send().await?
            }
            Self::Huskarl(client, authorizer, uri) => {
                let headers = authorizer.headers(uri).await?;
                client.get(url).headers(headers).send().await?
            }
            Self::HuskarlDpop(huskarl) => huskarl.send(url).await?,
        })
    }
}

/// The token as most programs add it that use a middleware.
struct AddToken(RwLock<String>);

#[async_trait]
impl Middleware for AddToken {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let header = format!("Bearer {}", self.0.read().expect("no panic"));
        let mut header = HeaderValue::try_from(header).expect("a header value");
        header.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, header);
        next.run(request, extensions).await
    }
}

async fn huskarl(token_endpoint: &str) -> BenchResult<Authorizer> {
    let grant = RefreshGrant::builder()
        .token_endpoint(token_endpoint.parse()?)
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
    let authorizer = HttpAuthorizer::builder().cache(cache).build();

    struct Boxed<F>(F);

    #[async_trait]
    impl<F, R> AsyncAuthorizer for Boxed<F>
    where
        F: Fn(Uri) -> R + Send + Sync,
        R: Future<Output = BenchResult<http::HeaderMap>> + Send,
    {
        async fn headers(&self, url: &Uri) -> BenchResult<http::HeaderMap> {
            (self.0)(url.clone()).await
        }
    }

    let authorizer = std::sync::Arc::new(authorizer);
    Ok(Box::new(Boxed(move |url: Uri| {
        let authorizer = authorizer.clone();
        async move { Ok(authorizer.get_headers(&Method::GET, &url).await?) }
    })))
}

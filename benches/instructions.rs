//! The driver of `instructions.sh`: does one thing N times, under callgrind.
//!
//! `instructions SCENARIO N ADDRESS`, where ADDRESS is that of `instructions serve`, a process of
//! its own, so that only the client is counted.

mod support;

use std::{hint::black_box, io::Read as _, time::Duration};

use oauth_twin::{
    AsyncOAuth2Client, Token,
    jose::{Algorithm, SigningKey},
    oauth2::{
        AuthorizationServer, ClientCredentials, ClientRegistration, DpopKey, DpopProof,
        EndpointResponse, TokenEndpoint,
    },
    reqwest::{
        self, Method,
        header::{AUTHORIZATION, HeaderMap},
    },
};
use support::{
    BenchResult,
    clients::{Bare, Ours, dpop_key, header, renewable_token, token},
    server::Server,
    users::{name, users},
};

fn main() -> BenchResult {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        ["serve"] => serve(),
        [scenario, count, address] => {
            run(scenario, count.parse()?, &format!("http://{address}/api"))
        }
        // `cargo bench` without the script.
        _ => {
            println!("instructions are counted by benches/instructions.sh");
            Ok(())
        }
    }
}

/// Answers until standard input ends.
fn serve() -> BenchResult {
    let server = Server::start(Duration::ZERO)?;
    println!("{}", server.address());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn run(scenario: &str, count: usize, url: &str) -> BenchResult {
    // One thread, so that nothing is left to chance but how the kernel cuts the answers up.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asynchronous = |work: Async<'_>| runtime.block_on(work.run(count, url));
    match scenario {
        "request/bare" => asynchronous(Async::Bare(Bare::Default)),
        "request/bare-same-settings" => asynchronous(Async::Bare(Bare::SameSettings)),
        "request/nothing-to-renew" => asynchronous(Async::Ours(Ours::NothingToRenew)),
        "request/retry-off" => asynchronous(Async::Ours(Ours::RetryOff)),
        "request/retry-on" => asynchronous(Async::Ours(Ours::RetryOn)),
        "request/configured" => asynchronous(Async::Ours(Ours::Configured)),
        "request/dpop" => asynchronous(Async::Ours(Ours::Dpop)),
        "request/for-token" => asynchronous(Async::Child(&Ours::NothingToRenew.asynchronous()?)),
        "token/header" => asynchronous(Async::Header),
        "token/authorize-floor" => asynchronous(Async::AuthorizeFloor),
        "token/authorize" => asynchronous(Async::Authorize),
        "blocking/bare" => bare_blocking(Bare::Default, count, url),
        "blocking/bare-same-settings" => bare_blocking(Bare::SameSettings, count, url),
        "blocking/nothing-to-renew" => blocking(Ours::NothingToRenew, count, url),
        "blocking/retry-off" => blocking(Ours::RetryOff, count, url),
        "blocking/retry-on" => blocking(Ours::RetryOn, count, url),
        "blocking/configured" => blocking(Ours::Configured, count, url),
        "blocking/dpop" => blocking(Ours::Dpop, count, url),
        "signature/es256" => sign(count, url),
        "blocking-token/header" => blocking_header(count),
        "make/for-token" => for_token(count, |n| token().with_scope(n.to_string())),
        "make/for-token-with-refresh-token" => {
            for_token(count, |n| token().with_refresh_token(n.to_string()))
        }
        "make/for-token-in-use" => {
            let child = Ours::RetryOn.asynchronous()?.for_token(renewable_token());
            for _ in 0..count {
                black_box(child.for_token(black_box(renewable_token())));
            }
            Ok(())
        }
        "make/token" => {
            for _ in 0..count {
                black_box(renewable_token());
            }
            Ok(())
        }
        "make/for-user" => {
            let client = users(10)?;
            runtime.block_on(client.for_user(name(1)).ensure_active_token())?;
            let name = name(1);
            for _ in 0..count {
                black_box(client.for_user(black_box(&name)));
            }
            Ok(())
        }
        "request/for-user" => {
            let client = users(10)?;
            runtime.block_on(async {
                let name = name(1);
                for _ in 0..count {
                    let user = client.for_user(black_box(&name));
                    black_box(user.get(url).send().await?.bytes().await?);
                }
                Ok(())
            })
        }
        "parse/token-answer" => parse(count),
        _ => Err(format!("there is no scenario {scenario}").into()),
    }
}

/// Operation on the async client.
enum Async<'a> {
    Bare(Bare),
    Ours(Ours),
    /// A new child for each request, as a web back end does it.
    Child(&'a AsyncOAuth2Client),
    Header,
    /// Work of `Authorize` besides that of the library.
    AuthorizeFloor,
    Authorize,
}

impl Async<'_> {
    async fn run(self, count: usize, url: &str) -> BenchResult {
        match self {
            Self::Bare(bare) => {
                let (client, header) = (bare.asynchronous()?, header());
                for _ in 0..count {
                    let request = client.get(url).header(AUTHORIZATION, header.clone());
                    black_box(request.send().await?.bytes().await?);
                }
            }
            Self::Ours(ours) => {
                let client = ours.asynchronous()?;
                for _ in 0..count {
                    black_box(client.get(url).send().await?.bytes().await?);
                }
            }
            Self::Child(client) => {
                for _ in 0..count {
                    let child = client.for_token(token());
                    black_box(child.get(url).send().await?.bytes().await?);
                }
            }
            Self::Header => {
                let client = Ours::RetryOn.asynchronous()?;
                for _ in 0..count {
                    black_box(client.authorization_header().await?);
                }
            }
            Self::AuthorizeFloor => {
                let header = header();
                let mut request = reqwest::Request::new(Method::GET, url.parse()?);
                for _ in 0..count {
                    request.headers_mut().insert(AUTHORIZATION, header.clone());
                    black_box(&mut request).headers_mut().clear();
                }
            }
            Self::Authorize => {
                let client = Ours::RetryOn.asynchronous()?;
                let mut request = reqwest::Request::new(Method::GET, url.parse()?);
                for _ in 0..count {
                    client.authorize(&mut request).await?;
                    black_box(&mut request).headers_mut().clear();
                }
            }
        }
        Ok(())
    }
}

fn bare_blocking(bare: Bare, count: usize, url: &str) -> BenchResult {
    let (client, header) = (bare.blocking()?, header());
    for _ in 0..count {
        let request = client.get(url).header(AUTHORIZATION, header.clone());
        black_box(request.send()?.bytes()?);
    }
    Ok(())
}

fn blocking(ours: Ours, count: usize, url: &str) -> BenchResult {
    let client = ours.blocking()?;
    for _ in 0..count {
        black_box(client.get(url).send()?.bytes()?);
    }
    Ok(())
}

fn blocking_header(count: usize) -> BenchResult {
    let client = Ours::RetryOn.blocking()?;
    for _ in 0..count {
        black_box(client.authorization_header()?);
    }
    Ok(())
}

/// The bare signature of what a proof signs.
fn sign(count: usize, url: &str) -> BenchResult {
    let (key, url) = (dpop_key(), url.parse()?);
    let pem = DpopKey::generate_pem(Algorithm::ES256)?;
    let ring = SigningKey::from_pem(Algorithm::ES256, pem.expose_secret())?;
    let proof = DpopProof::new(&Method::GET, &url).access_token(token().access_token());
    let input = proof.unsigned(&key)?;
    for _ in 0..count {
        black_box(ring.sign(black_box(input.as_bytes()))?);
    }
    Ok(())
}

fn for_token(count: usize, token: impl Fn(usize) -> Token) -> BenchResult {
    let client = Ours::NothingToRenew.asynchronous()?;
    for n in 0..count {
        black_box(client.for_token(token(n)));
    }
    Ok(())
}

fn parse(count: usize) -> BenchResult {
    let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
    let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    let request = endpoint.request(&ClientCredentials::new())?;
    let headers = HeaderMap::new();
    for _ in 0..count {
        let body = black_box(support::ANSWER.as_bytes());
        let status = reqwest::StatusCode::OK;
        black_box(endpoint.read_response(
            &request,
            EndpointResponse::new(status, headers.clone(), body),
        )?);
    }
    Ok(())
}

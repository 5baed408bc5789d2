//! The life of a token, in both modes, against a provider on this machine:
//!
//! ```sh
//! cargo run --example quickstart --features blocking,async
//! ```
//!
//! It needs no account and no network, and fails if any line that it prints is not true.

mod provider;

use std::{
    error::Error,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use oauth_twin::{
    AsyncOAuth2Client, ErrorKind, OAuth2Client, Token, TokenUpdate,
    oauth2::{AuthorizationRequest, ClientCredentials},
    oidc::IdToken,
};
use provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider, REDIRECT_URI};
use tokio::{runtime::Runtime, task::JoinSet};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let [first, second] = [(); 2].map(|()| Provider::start());
    println!(
        "Two OAuth providers, each with an API, on {} and {}.\n\
         Tokens live {} s, by a clock that is moved by hand, so nothing waits.\n\
         On the right, counted by the provider: tokens issued, API calls refused.",
        first.address(),
        second.address(),
        LIFETIME.as_secs()
    );
    heading("OAuth2Client, in plain main");
    in_plain_main(&Story(&first))?;
    heading("AsyncOAuth2Client, in a tokio runtime");
    Runtime::new()?.block_on(in_a_runtime(&Story(&second)))?;
    println!("\nEach line was checked, with the counts at the providers.");
    Ok(())
}

/// The blocking client.
fn in_plain_main(story: &Story<'_>) -> Outcome {
    let report = story.0.url("/reports/7");
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(story.0.url("/authorize"))
        .token_endpoint(story.0.url("/token"))
        .introspection_endpoint(story.0.url("/introspect"))
        .revocation_endpoint(story.0.url("/revoke"))
        .redirect_uri(REDIRECT_URI)
        .grant(ClientCredentials::new())
        .update_token(|update: TokenUpdate| {
            show(&update);
            Ok(())
        })
        .clock(story.0.clock())
        .configure_http(|http| http.no_proxy())
        .build()?;
    story.line("built", "nothing is sent before it is needed", [0, 0])?;

    let answer = client.get(&report).send()?.error_for_status()?;
    story.line("the first call", &format!("200 {}", answer.text()?), [1, 0])?;
    for _ in 0..3 {
        client.get(&report).send()?.error_for_status()?;
    }
    story.line("three more", "200, with the same token", [1, 0])?;
    story.secret(&client, client.token())?;

    story.pass(6);
    client.get(&report).send()?.error_for_status()?;
    story.line(
        "a call",
        "200, with a token renewed before it expired",
        [2, 0],
    )?;

    story.pass(12);
    thread::scope(|scope| {
        let call = || client.get(&report).send();
        let calls: Vec<_> = (0..50).map(|_| scope.spawn(call)).collect();
        calls.into_iter().try_for_each(|call| -> Outcome {
            call.join().expect("a thread")?.error_for_status()?;
            Ok(())
        })
    })?;
    story.line("50 threads at once", "50 × 200, with one renewal", [3, 0])?;

    story.0.revoke_all();
    client.get(&report).send()?.error_for_status()?;
    story.line("all tokens revoked", "401, renewed, retried: 200", [4, 1])?;

    // A user logs in: state, PKCE and the checks of the callback are automatic.
    let pending = client
        .create_authorization_url(AuthorizationRequest::new())?
        .pending;
    let forged = client.complete_authorization(pending, "?code=1&state=forged");
    story.forged(&forged.expect_err("a forged callback"))?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = story.0.user_logs_in(&created.url);
    let login = client.complete_authorization(created.pending, &callback)?;
    let me = login.client.get(story.0.url("/me")).send()?;
    let me = me.error_for_status()?.text()?;
    story.line("a user logs in", &format!("200 {me}"), [5, 1])?;
    let said = login.client.introspect_token()?;
    let said = format!("active: {}, {:?}", said.is_active(), said.username());
    story.line("introspected", &said, [5, 1])?;
    login.client.revoke_token()?;
    let said = client.introspect(login.token.access_token(), None)?;
    story.line("revoked", &format!("active: {}", said.is_active()), [5, 1])?;

    // OpenID Connect: the ID token says who has logged in. The provider changes its key in between.
    let back_end = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .clock(story.0.clock())
        .configure_http(|http| http.no_proxy())
        .discover(story.0.url(""))?
        .redirect_uri(REDIRECT_URI)
        .build()?;
    for (issued, key) in [(6, "verified"), (7, "signed with a new key, verified")] {
        let request = AuthorizationRequest::new().scope("openid");
        let created = back_end.begin_authorization(request)?;
        let callback = story.0.user_logs_in(&created.url);
        let login = back_end.complete_authorization(created.pending, &callback)?;
        story.user(login.id_token, key, issued)?;
        story.0.rotate_keys();
    }
    back_end.close()?;

    client.close()?;
    let error = client.get(&report).send().expect_err("a closed client");
    story.closed(&error)
}

/// The async client: the same with `.await`.
async fn in_a_runtime(story: &Story<'_>) -> Outcome {
    let report = story.0.url("/reports/7");
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(story.0.url("/authorize"))
        .token_endpoint(story.0.url("/token"))
        .introspection_endpoint(story.0.url("/introspect"))
        .revocation_endpoint(story.0.url("/revoke"))
        .redirect_uri(REDIRECT_URI)
        .grant(ClientCredentials::new())
        .update_token(async |update: TokenUpdate| {
            show(&update);
            Ok(())
        })
        .clock(story.0.clock())
        .configure_http(|http| http.no_proxy())
        .build()?;
    story.line("built", "nothing is sent before it is needed", [0, 0])?;

    let answer = client.get(&report).send().await?.error_for_status()?;
    let text = answer.text().await?;
    story.line("the first call", &format!("200 {text}"), [1, 0])?;
    for _ in 0..3 {
        client.get(&report).send().await?.error_for_status()?;
    }
    story.line("three more", "200, with the same token", [1, 0])?;
    story.secret(&client, client.token())?;

    story.pass(6);
    client.get(&report).send().await?.error_for_status()?;
    story.line(
        "a call",
        "200, with a token renewed before it expired",
        [2, 0],
    )?;

    story.pass(12);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        calls.spawn(client.get(&report).send());
    }
    while let Some(call) = calls.join_next().await {
        call??.error_for_status()?;
    }
    story.line("50 tasks at once", "50 × 200, with one renewal", [3, 0])?;

    story.0.revoke_all();
    client.get(&report).send().await?.error_for_status()?;
    story.line("all tokens revoked", "401, renewed, retried: 200", [4, 1])?;

    // A user logs in: state, PKCE and the checks of the callback are automatic.
    let pending = client
        .create_authorization_url(AuthorizationRequest::new())?
        .pending;
    let forged = client
        .complete_authorization(pending, "?code=1&state=forged")
        .await;
    story.forged(&forged.expect_err("a forged callback"))?;
    let created = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = story.0.user_logs_in(&created.url);
    let login = client
        .complete_authorization(created.pending, &callback)
        .await?;
    let me = login.client.get(story.0.url("/me")).send().await?;
    let me = me.error_for_status()?.text().await?;
    story.line("a user logs in", &format!("200 {me}"), [5, 1])?;
    let said = login.client.introspect_token().await?;
    let said = format!("active: {}, {:?}", said.is_active(), said.username());
    story.line("introspected", &said, [5, 1])?;
    login.client.revoke_token().await?;
    let said = client.introspect(login.token.access_token(), None).await?;
    story.line("revoked", &format!("active: {}", said.is_active()), [5, 1])?;

    // OpenID Connect: the ID token says who has logged in. The provider changes its key in between.
    let back_end = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .clock(story.0.clock())
        .configure_http(|http| http.no_proxy())
        .discover(story.0.url(""))
        .await?
        .redirect_uri(REDIRECT_URI)
        .build()?;
    for (issued, key) in [(6, "verified"), (7, "signed with a new key, verified")] {
        let request = AuthorizationRequest::new().scope("openid");
        let created = back_end.begin_authorization(request).await?;
        let callback = story.0.user_logs_in(&created.url);
        let login = back_end
            .complete_authorization(created.pending, &callback)
            .await?;
        story.user(login.id_token, key, issued)?;
        story.0.rotate_keys();
    }
    back_end.close().await?;

    client.close().await?;
    let error = client
        .get(&report)
        .send()
        .await
        .expect_err("a closed client");
    story.closed(&error)
}

/// Number of calls of `update_token`.
static UPDATES: AtomicUsize = AtomicUsize::new(0);

/// The callback `update_token`, which prints the token. A real program would store it.
fn show(update: &TokenUpdate) {
    UPDATES.fetch_add(1, Ordering::SeqCst);
    let token = update.token.access_token();
    let end = match &update.previous_access_token {
        Some(old) => format!(", which replaces {old:?}"),
        None => String::new(),
    };
    println!("    update_token      a token: {token:?}{end}");
}

fn heading(client: &str) {
    println!("\n{client:<72}issued refused");
}

/// Prints a step and checks the counts.
struct Story<'a>(&'a Provider);

impl Story<'_> {
    fn line(&self, step: &str, what: &str, expected: [usize; 2]) -> Outcome {
        let counted = [self.0.count().issued, self.0.count().refused];
        println!("  {step:<20}{what:<50}{:>6}{:>8}", counted[0], counted[1]);
        if counted != expected {
            return Err(format!("{expected:?} was expected").into());
        }
        Ok(())
    }

    fn pass(&self, seconds: u64) {
        self.0.advance(Duration::from_secs(seconds));
        println!("  … {seconds} s pass");
    }

    fn secret(&self, client: &impl fmt::Debug, token: Option<Token>) -> Outcome {
        let token = token.ok_or("there is no token")?;
        let printed = format!("{client:?} {token:?}");
        for secret in [CLIENT_SECRET, token.access_token().expose_secret()] {
            if printed.contains(secret) {
                return Err("Debug prints a secret".into());
            }
        }
        self.line(
            "in Debug",
            &format!("access_token: {:?}", token.access_token()),
            [1, 0],
        )
    }

    fn forged(&self, error: &oauth_twin::Error) -> Outcome {
        if error.kind() != ErrorKind::Answer {
            return Err("the forged callback was accepted".into());
        }
        self.line(
            "a forged callback",
            "refused before anything is sent",
            [4, 1],
        )
    }

    fn user(&self, id_token: Option<IdToken>, key: &str, issued: usize) -> Outcome {
        let id_token = id_token.ok_or("there is no ID token")?;
        let user = id_token.claims().subject();
        self.line("an ID token", &format!("{user}, {key}"), [issued, 1])
    }

    fn closed(&self, error: &oauth_twin::Error) -> Outcome {
        if error.kind() != ErrorKind::Closed {
            return Err("the client is not closed".into());
        }
        if UPDATES.swap(0, Ordering::SeqCst) != 4 {
            return Err("update_token was not called once for each token".into());
        }
        self.line("closed, then a call", &format!("error: {error}"), [7, 1])
    }
}

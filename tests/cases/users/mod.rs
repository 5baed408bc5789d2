//! Many users of one client, each with a store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use oauth_twin::{UserKey, oauth2::AuthorizationUrl};

use super::{
    super::mode::Login,
    authorization_code::{callback, created},
    test,
    token_store::{Fault, Shelf},
    *,
};

mod endings;
mod exchanged;
mod failures;
mod logins;
mod memory;
mod replicas;

/// The stores of all users, which replicas share.
#[derive(Clone, Default)]
struct Shelves(Arc<Mutex<HashMap<String, Shelf>>>);

impl Shelves {
    fn of(&self, user: &UserKey) -> Shelf {
        let mut shelves = self.0.lock().unwrap();
        shelves.entry(user.to_string()).or_default().clone()
    }

    fn named(&self, user: &str) -> Shelf {
        self.of(&UserKey::new(user).unwrap())
    }

    fn held(&self, user: &str) -> String {
        self.named(user).held()
    }
}

/// What a server knows of an account.
#[derive(Default)]
struct Account {
    issued: usize,
    is_revoked: bool,
}

/// A server with an account for each code of a login. Its access tokens are `alice1`, `alice2`; its
/// refresh tokens `alice-1`, `alice-2`. One that is used twice, or revoked, ends the login.
#[derive(Clone, Default)]
struct Accounts {
    known: Arc<Mutex<HashMap<String, Account>>>,
    /// Refreshes wait for it, if there is one.
    gate: Option<Gate>,
}

impl Accounts {
    fn server(self, expires_in: u64) -> Server {
        Server::start(move |request: &Request| match &*request.path {
            "/token" => self.token(request, expires_in),
            "/revoke" => {
                let token = request.parameter("token").unwrap();
                self.end(token.split_once('-').unwrap().0);
                Reply::text(200, "")
            }
            _ => self.api(request),
        })
    }

    fn end(&self, account: &str) {
        let mut known = self.known.lock().unwrap();
        known.entry(account.to_owned()).or_default().is_revoked = true;
    }

    fn token(&self, request: &Request, expires_in: u64) -> Reply {
        let refresh = request.parameter("refresh_token");
        if let (Some(_), Some(gate)) = (&refresh, &self.gate) {
            gate.wait();
        }
        let name = match &refresh {
            Some(refresh) => refresh.split_once('-').unwrap().0.to_owned(),
            None => request.parameter("code").unwrap(),
        };
        let mut known = self.known.lock().unwrap();
        let account = known.entry(name.clone()).or_default();
        match refresh {
            None => account.is_revoked = false,
            Some(refresh) if refresh != format!("{name}-{}", account.issued) => {
                account.is_revoked = true;
            }
            Some(_) => {}
        }
        if account.is_revoked {
            return Reply::error(400, "invalid_grant");
        }
        account.issued += 1;
        let n = account.issued;
        Reply::json(
            200,
            json!({
                "access_token": format!("{name}{n}"), "refresh_token": format!("{name}-{n}"),
                "token_type": "Bearer", "expires_in": expires_in,
            }),
        )
    }

    fn api(&self, request: &Request) -> Reply {
        let token = request.header("authorization").unwrap_or_default();
        let token = token.trim_start_matches("Bearer ");
        let name = token.trim_end_matches(|char: char| char.is_ascii_digit());
        let known = self.known.lock().unwrap();
        match known.get(name) {
            Some(account) if !account.is_revoked => Reply::text(200, token),
            _ => Reply::text(401, "").with("www-authenticate", "Bearer error=\"invalid_token\""),
        }
    }
}

/// A server whose tokens live for `expires_in` seconds, the stores, and a clock.
fn service(expires_in: u64) -> (Server, Shelves, ManualClock) {
    let server = Accounts::default().server(expires_in);
    (server, Shelves::default(), ManualClock::new())
}

/// A replica of the service.
fn replica(server: &Server, shelves: &Shelves, clock: &ManualClock) -> OAuth2ClientBuilder {
    let shelves = shelves.clone();
    without_store(server, clock).user_store(move |user: &UserKey| shelves.of(user))
}

fn without_store(server: &Server, clock: &ManualClock) -> OAuth2ClientBuilder {
    builder(server)
        .authorization_endpoint(server.url("/authorize"))
        .revocation_endpoint(server.url("/revoke"))
        .redirect_uri("https://app.example/callback")
        .clock(clock.clock())
}

/// A login with this account.
#[maybe_async]
async fn log_in(client: &OAuth2Client, account: &str) -> Login {
    let AuthorizationUrl { url, pending, .. } = created(client);
    let callback = callback(&url, account);
    let login = client.complete_authorization(pending, &callback).await;
    login.expect("a login")
}

/// What the API sees of a user: the access token.
#[maybe_async]
async fn ask(client: &OAuth2Client, server: &Server, user: &str) -> Result<String, Error> {
    let request = client.for_user(user).get(server.url("/api"));
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    Ok(response.text().await?)
}

/// Checks what the API sees of a user.
#[maybe_async]
async fn sees(
    client: &OAuth2Client,
    server: &Server,
    user: &str,
    expected: impl AsRef<str>,
) -> Result<(), Error> {
    let seen = ask(client, server, user).await?;
    assert_eq!(seen, expected.as_ref());
    Ok(())
}

/// Checks that a user has to log in.
#[maybe_async]
async fn needs_login(client: &OAuth2Client, server: &Server, user: &str) {
    let error = ask(client, server, user).await.expect_err("no token");
    assert!(error.needs_login(), "{error}");
}

/// The refresh tokens that were sent.
fn refreshes(server: &Server) -> Vec<String> {
    let requests = server.requests("/token");
    let sent = requests.iter();
    sent.filter_map(|request| request.parameter("refresh_token"))
        .collect()
}

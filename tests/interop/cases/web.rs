//! A web back end, as in `examples/authorization_code.rs`, at a server that rotates refresh tokens and
//! revokes everything if one is used twice.

use std::time::Duration;

use oauth_twin::{BoxError, Token, TokenUpdate, oauth2::AuthorizationRequest, url::Url};
use serde_json::{Value, json};

use super::logins::{Server, WEB, log_in};
use crate::{
    back_end::{Rows, Session},
    mode::{CLIENT, OAuth2Client, maybe_async, sleep, test},
};

const SERVER: Server = Server::OidcProvider;

/// Lifetime of the tokens, in seconds.
const LIFETIME: u64 = 5;

/// A client of this test alone, at the server.
#[maybe_async]
async fn registered(test: &str) -> String {
    let id = format!("{test}-{CLIENT}");
    let metadata = json!({
        "client_id": id, "client_secret": "its-secret", "access_token_ttl": LIFETIME,
        "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [WEB],
    });
    SERVER.register(&metadata).await;
    id
}

/// A back end that was just started, whose renewed tokens go to `rows`.
fn back_end(id: &str, rows: &Rows) -> OAuth2Client {
    let rows = rows.clone();
    let client = SERVER
        .client(id)
        .client_secret("its-secret")
        .redirect_uri(WEB)
        .update_token(move |update: TokenUpdate| rows.write_back(&update))
        .build();
    client.expect("a client")
}

fn begin(client: &OAuth2Client, session: &mut Session) -> Result<Url, BoxError> {
    session.keep_pending(&client.create_authorization_url(AuthorizationRequest::new())?)
}

#[maybe_async]
async fn complete(
    client: &OAuth2Client,
    session: &mut Session,
    callback: &str,
    rows: &Rows,
    user: &str,
) -> Result<(), BoxError> {
    let pending = session.take_pending(callback)?;
    let login = client.complete_authorization(pending, callback).await?;
    rows.insert(user, &login.token)
}

/// State of the token of a row, by the API.
#[maybe_async]
async fn me(client: &OAuth2Client, row: Token) -> Result<Value, BoxError> {
    let url = format!("{}/api/me", SERVER.issuer());
    let response = client.for_token(row).get(url).send().await?;
    Ok(response.error_for_status()?.json().await?)
}

#[maybe_async]
async fn outlive_the_token() {
    sleep(Duration::from_millis(LIFETIME * 1000 + 200)).await;
}

/// Each time the back end is another process, which knows nothing but the rows.
#[maybe_async]
#[test]
async fn a_user_stays_logged_in_past_two_expiries_and_restarts() -> Result<(), BoxError> {
    let id = registered("web-rows").await;
    let (rows, mut session) = (Rows::default(), Session::default());
    let client = back_end(&id, &rows);
    let url = begin(&client, &mut session)?;
    let callback = log_in(SERVER, &url, WEB).await;
    complete(&client, &mut session, &callback, &rows, "alice").await?;
    let first = rows.load("alice")?;
    let mut before = first.clone();
    for expiry in 1..=2 {
        outlive_the_token().await;
        let client = back_end(&id, &rows);
        let answer = me(&client, rows.load("alice")?).await?;
        assert_eq!(answer["client_id"], id);
        let renewed = rows.load("alice")?;
        assert_ne!(renewed.refresh_token(), before.refresh_token());
        before = renewed;
        // The next request of the same page finds the row as it is now.
        me(&client, rows.load("alice")?).await?;
        let counted = SERVER.counted(&id, "refresh_token").await;
        assert_eq!(counted, (expiry, 0));
        client.close().await?;
    }
    // Without the new row the user would have been logged out.
    outlive_the_token().await;
    let stale = back_end(&id, &rows).for_token(first);
    let error = stale.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn two_tabs_log_in_and_no_callback_counts_twice() -> Result<(), BoxError> {
    let id = registered("web-tabs").await;
    let (rows, mut session) = (Rows::default(), Session::default());
    let client = back_end(&id, &rows);
    let mut callbacks = Vec::new();
    for url in [begin(&client, &mut session)?, begin(&client, &mut session)?] {
        callbacks.push(log_in(SERVER, &url, WEB).await);
    }
    let forged = format!("{WEB}?code=stolen&state=forged");
    let refused = complete(&client, &mut session, &forged, &rows, "mallory").await;
    refused.unwrap_err();
    for (callback, user) in callbacks.iter().zip(["first", "second"]) {
        complete(&client, &mut session, callback, &rows, user).await?;
        let answer = me(&client, rows.load(user)?).await?;
        assert_eq!(answer["client_id"], id);
    }
    for callback in &callbacks {
        let again = complete(&client, &mut session, callback, &rows, "mallory").await;
        let error = again.unwrap_err().to_string();
        assert!(error.contains("no login is pending"), "{error}");
    }
    // The server was not asked: it would have revoked the tokens of the codes.
    let counted = SERVER.counted(&id, "authorization_code").await;
    assert_eq!(counted, (2, 0));
    rows.load("mallory").unwrap_err();
    client.close().await?;
    Ok(())
}

//! The ways in which the answer comes back: in a fragment, in a form, from another server.

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{ResponseMode, ResponseType},
};

use super::{
    super::{TestResult, browser::Browser, logins::log_in_with},
    *,
};
use crate::mode::test;

const SERVER: Server = Server::OidcProvider;

#[maybe_async]
async fn hybrid(test: &str) -> Result<(String, OAuth2Client)> {
    let registration = json!({
        "response_types": ["code id_token", "id_token"],
        "grant_types": ["authorization_code", "implicit"],
    });
    let id = registered(SERVER, test, registration).await;
    let client = discovered(&SERVER.issuer(), &id).await?.build()?;
    Ok((id, client))
}

#[maybe_async]
#[test]
async fn a_hybrid_login_in_a_fragment_and_in_a_form() -> TestResult {
    let (id, client) = hybrid("hybrid").await?;
    let request = || openid().response_type(ResponseType::CodeIdToken);
    let begun = client.create_authorization_url(request())?;
    let callback = log_in(SERVER, &begun.url, WEB).await;
    assert!(callback.contains("#code=") && callback.contains("id_token="));
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    let id_token = login.id_token.expect("an ID token");
    assert_eq!(id_token.claims().subject(), "alice");

    let begun = client.create_authorization_url(request().response_mode(ResponseMode::FormPost))?;
    let mut browser = Browser::new();
    let page = log_in_with(&mut browser, SERVER, &begun.url, WEB).await;
    let body = page.page().posted(WEB);
    let login = client.complete_authorization(begun.pending, &body).await?;
    assert!(login.id_token.is_some());
    let counted = SERVER.counted(&id, "authorization_code").await;
    assert_eq!(counted, (2, 0));
    Ok(())
}

/// The hash in the ID token of the callback protects the code beside it.
#[maybe_async]
#[test]
async fn a_code_that_was_injected_into_a_hybrid_callback_is_not_sent() -> TestResult {
    let (id, client) = hybrid("injected").await?;
    let request = || openid().response_type(ResponseType::CodeIdToken);
    let begun = client.create_authorization_url(request())?;
    let other = client.create_authorization_url(request())?;
    let callback = log_in(SERVER, &begun.url, WEB).await;
    let stolen = log_in(SERVER, &other.url, WEB).await;
    let code = |callback: &str| {
        let (_, rest) = callback.split_once("code=").expect("a code");
        rest.split('&').next().expect("a code").to_owned()
    };
    let injected = callback.replace(&code(&callback), &code(&stolen));
    assert_ne!(injected, callback);
    let refused = client
        .complete_authorization(begun.pending, &injected)
        .await;
    let error = refused.expect_err("another code");
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("c_hash"), "{error}");
    let counted = SERVER.counted(&id, "authorization_code").await;
    assert_eq!(counted, (0, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn an_id_token_alone() -> TestResult {
    let (id, client) = hybrid("alone").await?;
    let begun = client.create_authorization_url(openid().response_type(ResponseType::IdToken))?;
    let callback = log_in(SERVER, &begun.url, WEB).await;
    let id_token = client
        .complete_authentication(begun.pending, &callback)
        .await?;
    assert_eq!(id_token.claims().subject(), "alice");
    // There is no access token, so that all claims that were asked for are here.
    assert_eq!(id_token.claims().email(), Some("alice@app.example"));
    let counted = SERVER.counted(&id, "authorization_code").await;
    assert_eq!(counted, (0, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_code_in_a_form() -> TestResult {
    let id = registered(SERVER, "form", json!({})).await;
    let client = discovered(&SERVER.issuer(), &id).await?.build()?;
    let request = openid().response_mode(ResponseMode::FormPost);
    let begun = client.create_authorization_url(request)?;
    let mut browser = Browser::new();
    let page = log_in_with(&mut browser, SERVER, &begun.url, WEB).await;
    let body = page.page().posted(WEB);
    let login = client.complete_authorization(begun.pending, &body).await?;
    assert!(login.id_token.is_some());

    // The end-user is logged in, so that an error comes at once, and as a form too.
    let request = openid()
        .response_mode(ResponseMode::FormPost)
        .prompt("none");
    let begun = client.create_authorization_url(request)?;
    let mut stranger = Browser::new();
    let page = stranger.open(begun.url, WEB).await;
    let body = page.page().posted(WEB);
    let refused = client.complete_authorization(begun.pending, &body).await;
    let error = refused.expect_err("no session");
    assert_eq!(error.code(), Some(&ErrorCode::LoginRequired));
    Ok(())
}

/// The server that the user was sent to is not the one that answers: the code would go to a server
/// that may be the attacker's.
#[maybe_async]
#[test]
async fn a_mix_up_of_two_servers_is_refused_before_a_code_is_sent() -> TestResult {
    let other_issuer = SERVER.another().await;
    for (server, issuer) in [
        (SERVER, other_issuer),
        (Server::Authlib, Server::Authlib.issuer()),
    ] {
        let id = registered(SERVER, "mixed-up", json!({})).await;
        registered(server, "mixed-up", json!({})).await;
        let honest = discovered(&SERVER.issuer(), &id).await?.build()?;
        let other = discovered(&issuer, &id).await?.build()?;
        let begun = honest.create_authorization_url(openid())?;
        let request = openid().state(begun.pending.state());
        let elsewhere = other.create_authorization_url(request)?;
        let callback = log_in(server, &elsewhere.url, WEB).await;
        let refused = honest
            .complete_authorization(begun.pending, &callback)
            .await;
        let error = refused.expect_err("another issuer");
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert!(error.to_string().contains("(`iss`)"), "{error}");
        for server in [SERVER, server] {
            let counted = server.counted(&id, "authorization_code").await;
            assert_eq!(counted, (0, 0), "{server:?}");
        }
        // The code is still good for the login that it belongs to.
        let login = other
            .complete_authorization(elsewhere.pending, &callback)
            .await?;
        let id_token = login.id_token.expect("an ID token");
        assert_eq!(id_token.issuer(), issuer);
        server.control("reset", &id, &[]).await;
    }
    Ok(())
}

//! Registration at node `oidc-provider`, with and without an initial access token: a login with the
//! registered client, and the life of the registration.

use oauth_twin::{
    ErrorCode, ErrorKind, FileTokenStore,
    oauth2::{ClientMetadata, RegistrationRequest},
};
use serde_json::Value;

use super::{
    TestResult,
    logins::{Server, WEB, logged_in},
};
use crate::{
    folder::Folder,
    mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, maybe_async, own_client, test},
};

/// The token that the server demands if it demands one.
const INITIAL: &str = "initial-access-token";

fn web() -> ClientMetadata {
    ClientMetadata::web("Reports").with_redirect_uris([WEB])
}

#[maybe_async]
async fn discovered(issuer: &str) -> oauth_twin::Result<OAuth2ClientBuilder> {
    let builder = OAuth2Client::unregistered().scope("reports:read");
    builder.discover(issuer).await
}

/// A provider that demands an initial access token.
#[maybe_async]
async fn demanding() -> String {
    let issuer = Server::OidcProvider.issuer();
    let url = format!("{issuer}/_test/provider?initial_access_token");
    let response = own_client().post(url).send().await.expect("an answer");
    let answer: Value = response.json().await.expect("JSON");
    answer["issuer"].as_str().expect("an issuer").to_owned()
}

#[maybe_async]
#[test]
async fn a_registered_client_logs_users_in_and_renews_their_tokens() -> TestResult {
    let issuer = Server::OidcProvider.issuer();
    let folder = Folder::new(&format!("registered-{CLIENT}"));
    let mut secrets = Vec::new();
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let store = FileTokenStore::new(folder.file(&format!("{method}.json")));
        let metadata = web().with_token_endpoint_auth_method(method);
        let builder = discovered(&issuer).await?.token_store(store.clone());
        let client = builder.register(metadata.clone()).await?.build()?;
        let token = logged_in(Server::OidcProvider, &client, WEB).await;
        let renewed = client.for_token(token.clone()).refresh_token().await?;
        assert_ne!(renewed.access_token(), token.access_token(), "{method}");
        let kept = store.read_registration(&issuer).expect("readable");
        let kept = kept.expect("a registration");
        assert_eq!(kept.token_endpoint_auth_method(), method);
        assert_eq!(kept.client_secret().is_some(), method != "none");
        secrets.push(kept.client_id().to_owned());
        client.close().await?;
        // The next start uses the same client.
        let builder = discovered(&issuer).await?.token_store(store.clone());
        let again = builder.register(metadata).await?;
        assert!(format!("{again:?}").contains(kept.client_id()));
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 3, "a client each");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_native_client_registers_both_spellings_of_loopback() -> TestResult {
    let issuer = Server::OidcProvider.issuer();
    let client = discovered(&issuer).await?.build()?;
    let registered = client.register(ClientMetadata::native("Reports")).await?;
    assert_eq!(registered.token_endpoint_auth_method(), "none");
    let uri = "http://localhost:58135/callback";
    let native = discovered(&issuer)
        .await?
        .registered_client(registered)
        .redirect_uri(uri)
        .build()?;
    logged_in(Server::OidcProvider, &native, uri).await;
    Ok(())
}

#[maybe_async]
#[test]
async fn an_initial_access_token_is_sent_where_it_is_demanded() -> TestResult {
    let issuer = demanding().await;
    let client = discovered(&issuer).await?.build()?;
    for refused in [
        RegistrationRequest::new(web()),
        RegistrationRequest::new(web()).initial_access_token("another"),
    ] {
        let error = client.register(refused).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(!format!("{error:?}").contains("another"), "{error:?}");
    }
    let request = RegistrationRequest::new(web()).initial_access_token(INITIAL);
    let registered = client.register(request).await?;
    assert_eq!(registered.issuer(), issuer);
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_does_not_accept_is_its_error() -> TestResult {
    let client = discovered(&Server::OidcProvider.issuer()).await?.build()?;
    for (metadata, code) in [
        (
            ClientMetadata::native("Reports").with_redirect_uris(["http://app.example/callback"]),
            ErrorCode::InvalidRedirectUri,
        ),
        (
            web().with_token_endpoint_auth_method("of_the_future"),
            ErrorCode::InvalidClientMetadata,
        ),
        (
            web().with_logo_uri("no URL"),
            ErrorCode::InvalidClientMetadata,
        ),
    ] {
        let error = client.register(metadata).await.expect_err("refused");
        assert_eq!(error.code(), Some(&code), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_registration_is_read_updated_and_deleted() -> TestResult {
    let client = discovered(&Server::OidcProvider.issuer()).await?.build()?;
    let registered = client.register(web()).await?;
    let read = client.read_registration(&registered).await?;
    assert_eq!(read.client_id(), registered.client_id());
    assert_eq!(read.client_secret(), registered.client_secret());
    let renamed = read.metadata().clone().with_client_name("Reports 2");
    let updated = client.update_registration(&read, renamed).await?;
    assert_eq!(updated.metadata().client_name(), Some("Reports 2"));
    assert_ne!(
        updated.registration_access_token(),
        registered.registration_access_token(),
        "it rotates"
    );
    let stale = client.read_registration(&registered).await;
    assert_eq!(
        stale
            .expect_err("an old token")
            .status()
            .map(|it| it.as_u16()),
        Some(401)
    );
    client.delete_registration(&updated).await?;
    let read = client.read_registration(&updated).await;
    assert!(read.is_err());
    Ok(())
}

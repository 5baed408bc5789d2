//! The OAuth 1.0 client.

use std::{fmt, sync::Arc};

use reqwest::{IntoUrl, Method, Url};

use super::{
    http, maybe_async, oauth1_builder::OAuth1ClientBuilder, oauth1_request,
    oauth1_session::SignedSession, request::RequestBuilder, request::verbs,
};
use crate::{
    error::Result,
    oauth1::{TemporaryCredentials, TokenCredentials, VerifiedCredentials},
    secret::Secret,
};

paired! {
    /// An OAuth 1.0 client: it signs what is sent, and does the three steps by which a person
    /// grants access.
    ///
    /// Cheap to clone: clones are the same client, with one person's credentials and one set of
    /// connections.
    ///
    /// A script is one person's, and the client keeps the credentials:
    ///
    #[doc = by_mode!(
        r#"```
# fn main() -> Result<(), Box<dyn std::error::Error>> {
# let server = httpmock::MockServer::start();
# server.mock(|when, then| { when.path("/request_token"); then.body("oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=true"); });
# server.mock(|when, then| { when.path("/access_token"); then.body("oauth_token=c&oauth_token_secret=d&user_id=7"); });
# server.mock(|when, then| { when.path("/photos"); then.body("ok"); });
# let api = server.base_url();
# fn open(_: oauth_twin::reqwest::Url) {}
# let pin = "1234";
use oauth_twin::OAuth1Client;

let client = OAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .request_token_endpoint(format!("{api}/request_token"))
    .authorization_endpoint(format!("{api}/authorize"))
    .access_token_endpoint(format!("{api}/access_token"))
    .build()?;
client.fetch_request_token()?;
open(client.create_authorization_url()?);
client.set_verifier(pin)?;                    // or parse_authorization_response(callback)
let token = client.fetch_access_token()?;     // to be stored; `.token(…)` begins with it next time
assert_eq!(token.get("user_id").unwrap(), "7");
let photos = client.get(format!("{api}/photos?size=original")).send()?;
assert_eq!(photos.text()?, "ok");
client.close()?;
# Ok(()) }
```"#,
        r#"```
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let server = httpmock::MockServer::start_async().await;
# server.mock_async(|when, then| { when.path("/request_token"); then.body("oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=true"); }).await;
# server.mock_async(|when, then| { when.path("/access_token"); then.body("oauth_token=c&oauth_token_secret=d&user_id=7"); }).await;
# server.mock_async(|when, then| { when.path("/photos"); then.body("ok"); }).await;
# let api = server.base_url();
# fn open(_: oauth_twin::reqwest::Url) {}
# let pin = "1234";
use oauth_twin::AsyncOAuth1Client;

let client = AsyncOAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .request_token_endpoint(format!("{api}/request_token"))
    .authorization_endpoint(format!("{api}/authorize"))
    .access_token_endpoint(format!("{api}/access_token"))
    .build()?;
client.fetch_request_token().await?;
open(client.create_authorization_url()?);
client.set_verifier(pin)?;                          // or parse_authorization_response(callback)
let token = client.fetch_access_token().await?;     // to be stored; `.token(…)` begins with it next time
assert_eq!(token.get("user_id").unwrap(), "7");
let photos = client.get(format!("{api}/photos?size=original")).send().await?;
assert_eq!(photos.text().await?, "ok");
client.close().await?;
# Ok(()) }
```"#
    )]
    ///
    /// A web back end serves many people with one client, which keeps nothing of them:
    ///
    #[doc = by_mode!(
        r#"```
# fn main() -> Result<(), Box<dyn std::error::Error>> {
# let server = httpmock::MockServer::start();
# server.mock(|when, then| { when.path("/request_token"); then.body("oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=true"); });
# server.mock(|when, then| { when.path("/access_token"); then.body("oauth_token=c&oauth_token_secret=d&user_id=7"); });
# server.mock(|when, then| { when.path("/photos"); then.body("ok"); });
# let api = server.base_url();
# let callback = "https://photos.example/ready?oauth_token=a&oauth_verifier=v";
use oauth_twin::OAuth1Client;

let client = OAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .request_token_endpoint(format!("{api}/request_token"))
    .authorization_endpoint(format!("{api}/authorize"))
    .access_token_endpoint(format!("{api}/access_token"))
    .redirect_uri("https://photos.example/ready")
    .build()?;
let temporary = client.request_temporary_credentials()?;       // keep it in the person's session,
let url = client.authorization_url(&temporary)?;               // and redirect them there
// … the callback:
let verified = temporary.authorization_response(callback)?;
let credentials = client.exchange(verified)?;                  // to be stored with the person
// … a later request of theirs:
let photos = client.for_token(credentials).get(format!("{api}/photos")).send()?;
# assert_eq!(photos.text()?, "ok");
# Ok(()) }
```"#,
        r#"```
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let server = httpmock::MockServer::start_async().await;
# server.mock_async(|when, then| { when.path("/request_token"); then.body("oauth_token=a&oauth_token_secret=b&oauth_callback_confirmed=true"); }).await;
# server.mock_async(|when, then| { when.path("/access_token"); then.body("oauth_token=c&oauth_token_secret=d&user_id=7"); }).await;
# server.mock_async(|when, then| { when.path("/photos"); then.body("ok"); }).await;
# let api = server.base_url();
# let callback = "https://photos.example/ready?oauth_token=a&oauth_verifier=v";
use oauth_twin::AsyncOAuth1Client;

let client = AsyncOAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .request_token_endpoint(format!("{api}/request_token"))
    .authorization_endpoint(format!("{api}/authorize"))
    .access_token_endpoint(format!("{api}/access_token"))
    .redirect_uri("https://photos.example/ready")
    .build()?;
let temporary = client.request_temporary_credentials().await?; // keep it in the person's session,
let url = client.authorization_url(&temporary)?;               // and redirect them there
// … the callback:
let verified = temporary.authorization_response(callback)?;
let credentials = client.exchange(verified).await?;            // to be stored with the person
// … a later request of theirs:
let photos = client.for_token(credentials).get(format!("{api}/photos")).send().await?;
# assert_eq!(photos.text().await?, "ok");
# Ok(()) }
```"#
    )]
    ///
    /// # Security
    ///
    /// Endpoints and signed requests have to be HTTPS, or loopback. Redirects are not followed, as
    /// a signature is good for one request; no answer of an endpoint may be larger than 1 MiB or
    /// last longer than the timeout, and none is asked twice by itself.
    ///
    /// [RFC 5849](https://www.rfc-editor.org/rfc/rfc5849)
    #[derive(Clone)]
    pub struct OAuth1Client | AsyncOAuth1Client {
        pub(in super::super) session: SignedSession,
    }
}

impl OAuth1Client {
    /// Begins a client that the server knows by this key (its `oauth_consumer_key`).
    pub fn builder(client_key: impl Into<String>) -> OAuth1ClientBuilder {
        OAuth1ClientBuilder::new(client_key.into())
    }

    pub(super) fn new(session: SignedSession) -> Self {
        Self { session }
    }

    /// The token credentials that the client signs with; none if it signs for itself alone, or
    /// after `close`.
    pub fn token(&self) -> Option<Arc<TokenCredentials>> {
        self.session.token()
    }

    /// Gives the client token credentials from elsewhere.
    ///
    /// # Errors
    ///
    /// If the client is closed.
    pub fn set_token(&self, token: TokenCredentials) -> Result<()> {
        self.session.set_token(token).map(drop)
    }

    /// A client for the token credentials of another person: the same settings and connections.
    /// Cheap, so that a web back end makes one per request.
    #[must_use]
    pub fn for_token(&self, token: TokenCredentials) -> Self {
        Self::new(self.session.child(token))
    }

    /// Where to send the person that these temporary credentials are for.
    ///
    /// # Errors
    ///
    /// If there is no `authorization_endpoint`, or the client is closed.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_url(&self, temporary: &TemporaryCredentials) -> Result<Url> {
        let live = self.session.live()?;
        live.shared.settings.authorization_url(temporary)
    }

    /// Where to send the client's own person, after `fetch_request_token`.
    ///
    /// # Errors
    ///
    /// If no login is under way, there is no `authorization_endpoint`, or the client is closed.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn create_authorization_url(&self) -> Result<Url> {
        self.session.create_authorization_url()
    }

    /// Takes the callback, a URL or its query, that the client's own person came back with.
    ///
    /// # Errors
    ///
    /// If it is not the answer to this login, which is then still under way; the server's own
    /// error, which ends it; or if none is under way.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn parse_authorization_response(&self, callback: &str) -> Result<()> {
        self.session
            .verify(|temporary| temporary.authorization_response(callback))
    }

    /// Takes the verifier that the client's own person was shown and has typed.
    ///
    /// # Errors
    ///
    /// If it is empty, or no login is under way.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn set_verifier(&self, verifier: impl Into<Secret>) -> Result<()> {
        self.session
            .verify(|temporary| temporary.verifier(verifier))
    }

    /// Signs a request that is sent with a client of the caller's own, which must not change it
    /// after that. Each attempt has to be signed anew.
    ///
    /// # Errors
    ///
    /// As for a request of this client: a URL that is neither HTTPS nor loopback, an
    /// `Authorization` header that is there already, a body that cannot be signed.
    pub fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.session.live()?;
        live.shared.transport.check(request.url())?;
        oauth1_request::sign(&live.signer, request)
    }
}

#[maybe_async]
impl OAuth1Client {
    /// Asks for temporary credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or if the server does not confirm the
    /// callback.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn request_temporary_credentials(&self) -> Result<TemporaryCredentials> {
        self.session.live()?.request_temporary_credentials().await
    }

    /// Exchanges verified credentials for the person's token credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport. If the outcome is unknown the verifier may
    /// be spent, and the person has to begin again.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn exchange(&self, verified: VerifiedCredentials) -> Result<TokenCredentials> {
        let live = self.session.live()?;
        live.request_token_credentials(&verified).await
    }

    /// Begins the login of the client's own person: asks for temporary credentials and keeps them.
    ///
    /// # Errors
    ///
    /// As [`request_temporary_credentials`](Self::request_temporary_credentials).
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn fetch_request_token(&self) -> Result<()> {
        self.session.fetch_request_token().await
    }

    /// Completes the login of the client's own person, and keeps the token credentials, in the
    /// place of those there were.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange); or if there is no verifier yet.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn fetch_access_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.fetch_access_token().await
    }

    /// Renews the token credentials by their `oauth_session_handle`, and keeps the new ones.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or if there are none, or none with a
    /// session handle.
    ///
    /// [OAuth Session Extension](https://oauth.googlecode.com/svn/spec/ext/session/1.0/drafts/1/spec.html)
    pub async fn refresh_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.refresh_token().await
    }

    /// Closes the client and all its clones, and lets go of credentials and connections. Later
    /// calls fail as closed. Parent and children stay open; connections end with the last of
    /// them. Closing again is fine.
    ///
    /// # Errors
    ///
    /// None so far.
    ///
    /// # Security
    ///
    /// The client's secrets are overwritten in memory; the key that *ring* made of them, and the
    /// buffers of reqwest, are freed and not overwritten.
    pub async fn close(&self) -> Result<()> {
        self.session.end();
        Ok(())
    }
}

verbs!(OAuth1Client);

impl fmt::Debug for OAuth1Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(by_mode!("OAuth1Client", "AsyncOAuth1Client"))
            .field(&self.session)
            .finish()
    }
}

//! The settings of an OAuth 1.0 client.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::Url;

use super::{
    http,
    oauth1::OAuth1Client,
    oauth1_session::{Settings, SignedSession},
    transport::{ConfigureHttp, Follow, Transport},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth1::{SignatureMethod, SignatureType, Signer, TokenCredentials},
    oauth2::check_endpoint,
    secret::Secret,
};

paired! {
    /// The settings of an OAuth 1.0 client. None of them fails; [`build`](Self::build) reports
    /// every bad one by its name.
    ///
    #[doc = by_mode!(
        r#"```
use std::time::Duration;
use oauth_twin::{OAuth1Client, oauth1::{SignatureMethod, SignatureType, TokenCredentials}};

let client = OAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .token(TokenCredentials::new("token", "token-secret"))
    .signature_method(SignatureMethod::HmacSha256)
    .signature_type(SignatureType::Header)
    .realm("1234567_SB1")
    .force_include_body(true)
    .timeout(Duration::from_secs(10))
    .build()?;

let error = OAuth1Client::builder("").redirect_uri("/ready").build().unwrap_err();
assert_eq!(
    error.to_string(),
    "bad settings: client_key is empty; \
     redirect_uri is neither an absolute URI nor oob (relative URL without a base)",
);
# Ok::<(), oauth_twin::Error>(())
```"#,
        r#"```
use std::time::Duration;
use oauth_twin::{AsyncOAuth1Client, oauth1::{SignatureMethod, SignatureType, TokenCredentials}};

let client = AsyncOAuth1Client::builder("consumer-key")
    .client_secret("consumer-secret")
    .token(TokenCredentials::new("token", "token-secret"))
    .signature_method(SignatureMethod::HmacSha256)
    .signature_type(SignatureType::Header)
    .realm("1234567_SB1")
    .force_include_body(true)
    .timeout(Duration::from_secs(10))
    .build()?;

let error = AsyncOAuth1Client::builder("").redirect_uri("/ready").build().unwrap_err();
assert_eq!(
    error.to_string(),
    "bad settings: client_key is empty; \
     redirect_uri is neither an absolute URI nor oob (relative URL without a base)",
);
# Ok::<(), oauth_twin::Error>(())
```"#
    )]
    #[must_use = "a builder makes no client until it is built"]
    pub struct OAuth1ClientBuilder | AsyncOAuth1ClientBuilder {
        client_key: String,
        client_secret: Option<Secret>,
        request_token_endpoint: Option<String>,
        authorization_endpoint: Option<String>,
        access_token_endpoint: Option<String>,
        redirect_uri: String,
        token: Option<TokenCredentials>,
        method: SignatureMethod,
        placement: SignatureType,
        realm: Option<String>,
        include_body: bool,
        follow_redirects: bool,
        timeout: Duration,
        configure_http: Option<ConfigureHttp>,
        clock: Clock,
        allow_http: bool,
    }
}

impl OAuth1ClientBuilder {
    pub(super) fn new(client_key: String) -> Self {
        Self {
            client_key,
            client_secret: None,
            request_token_endpoint: None,
            authorization_endpoint: None,
            access_token_endpoint: None,
            redirect_uri: "oob".to_owned(),
            token: None,
            method: SignatureMethod::default(),
            placement: SignatureType::default(),
            realm: None,
            include_body: false,
            follow_redirects: false,
            timeout: Duration::from_secs(30),
            configure_http: None,
            clock: Clock::system(),
            allow_http: false,
        }
    }

    /// The client's shared secret. The RSA methods do without.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// The URL that temporary credentials (the "request token") are asked for at.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn request_token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.request_token_endpoint = Some(url.into());
        self
    }

    /// The URL that people are sent to. It may have a query with what the provider asks for
    /// beside.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.authorization_endpoint = Some(url.into());
        self
    }

    /// The URL that token credentials (the "access token") are asked for at.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub fn access_token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.access_token_endpoint = Some(url.into());
        self
    }

    /// Where people are sent back to: an absolute URI, or `oob` if they are shown a verifier to be
    /// typed, which it is unless told. It goes along with the request for temporary credentials,
    /// as `oauth_callback`, and nowhere else.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = uri.into();
        self
    }

    /// Token credentials to begin with, such as those of the last run. Without any the client
    /// signs for itself alone (two-legged).
    pub fn token(mut self, token: TokenCredentials) -> Self {
        self.token = Some(token);
        self
    }

    /// How requests are signed: HMAC-SHA1 unless told.
    ///
    /// [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)
    pub fn signature_method(mut self, method: SignatureMethod) -> Self {
        self.method = method;
        self
    }

    /// Where the parameters of the protocol stand: in the header unless told. In the body only
    /// where that is a form, or empty; other bodies are an error then, and nothing is sent.
    ///
    /// [RFC 5849 section 3.5](https://www.rfc-editor.org/rfc/rfc5849#section-3.5)
    pub fn signature_type(mut self, placement: SignatureType) -> Self {
        self.placement = placement;
        self
    }

    /// The realm in the header, which is not signed.
    ///
    /// [RFC 5849 section 3.5.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.5.1)
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Whether a hash of each body that is not a form is signed (`oauth_body_hash`). Bodies that
    /// are streams, multipart forms among them, are an error then.
    ///
    /// [OAuth Request Body Hash](https://datatracker.ietf.org/doc/html/draft-eaton-oauth-bodyhash-00)
    pub fn force_include_body(mut self, include: bool) -> Self {
        self.include_body = include;
        self
    }

    /// Whether redirects of API calls are followed as long as they stay within the origin, up to
    /// ten, each signed anew; no unless told. All others are returned as they are, and so is one
    /// that asks for a stream to be sent again.
    pub fn follow_same_origin_redirects(mut self, follow: bool) -> Self {
        self.follow_redirects = follow;
        self
    }

    /// The time within which a call of one of the server's endpoints ends: 30 seconds unless
    /// told. API calls wait up to 30 seconds for each sign of life, and reqwest's own `timeout`
    /// limits them as a whole.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes reqwest's own builder: proxies, private roots, client certificates, the pool.
    ///
    /// It is called for each of the inner clients: one for endpoints and one for API calls, and the
    /// same again for loopback where the environment names a proxy. Redirects, `Referer` and the
    /// timeouts of endpoints are set after it. With this, reqwest sets TLS up itself; under the
    /// feature `rustls`, *ring* is installed as the process's provider if there is none.
    pub fn configure_http(
        mut self,
        configure: impl Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure_http = Some(Arc::new(configure));
        self
    }

    /// The clock that timestamps are taken from: the system's, unless told.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Permits plain HTTP everywhere.
    ///
    /// # Security
    ///
    /// Whoever sits on the way can read what is sent; with PLAINTEXT, the secrets themselves.
    /// Loopback needs no permission.
    pub fn dangerous_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Of [`ErrorKind::Usage`](crate::ErrorKind::Usage), with every bad setting by its name; or
    /// if TLS cannot be set up.
    pub fn build(self) -> Result<OAuth1Client> {
        let settings = self.settings()?;
        let transport = Transport::new(
            self.configure_http.as_ref(),
            self.timeout,
            self.allow_http,
            Follow::Nothing,
        )?;
        let session = SignedSession::new(settings, transport, self.token);
        Ok(OAuth1Client::new(session))
    }

    fn settings(&self) -> Result<Settings> {
        let mut problems = Vec::new();
        if self.client_key.is_empty() {
            problems.push("client_key is empty".to_owned());
        }
        if self.client_secret.as_ref().is_some_and(Secret::is_empty) {
            problems.push("client_secret is empty; leave it out if there is none".to_owned());
        }
        let mut endpoint = |name, url: &Option<String>| -> Option<Url> {
            let problem = match check_endpoint(url.as_deref()?, self.allow_http) {
                Ok(url)
                    if url
                        .query_pairs()
                        .any(|(name, _)| name.starts_with("oauth_")) =>
                {
                    "must not have parameters of OAuth in its query".to_owned()
                }
                Ok(url) => return Some(url),
                Err(problem) => problem,
            };
            problems.push(format!("{name} {problem}"));
            None
        };
        let request_token_endpoint =
            endpoint("request_token_endpoint", &self.request_token_endpoint);
        let authorization_endpoint =
            endpoint("authorization_endpoint", &self.authorization_endpoint);
        let access_token_endpoint = endpoint("access_token_endpoint", &self.access_token_endpoint);
        if self.redirect_uri != "oob"
            && let Err(error) = Url::parse(&self.redirect_uri)
        {
            problems.push(format!(
                "redirect_uri is neither an absolute URI nor oob ({error})"
            ));
        }
        if let Err(error) = self.method.validate() {
            problems.push(format!("signature_method cannot be used: {error}"));
        }
        let realm = self.realm.as_deref().unwrap_or_default();
        if realm.contains(char::is_control) {
            problems.push("realm has a control character".to_owned());
        } else if !realm.is_empty() && self.placement != SignatureType::Header {
            problems.push("realm has its place in the header; see signature_type".to_owned());
        }
        if self.timeout == Duration::ZERO {
            problems.push("timeout must be longer than zero".to_owned());
        }
        if !problems.is_empty() {
            return Err(Error::configuration(problems));
        }
        Ok(Settings {
            client_key: self.client_key.clone(),
            signer: self.signer(),
            request_token_endpoint,
            authorization_endpoint,
            access_token_endpoint,
            callback: self.redirect_uri.clone(),
            timeout: self.timeout,
            follow_redirects: self.follow_redirects,
        })
    }

    /// What signs for the client alone.
    fn signer(&self) -> Signer {
        let mut signer = Signer::new(&self.client_key)
            .signature_method(self.method.clone())
            .signature_type(self.placement)
            .force_include_body(self.include_body)
            .clock(self.clock.clone());
        if let Some(secret) = &self.client_secret {
            signer = signer.client_secret(secret);
        }
        if let Some(realm) = &self.realm {
            signer = signer.realm(realm);
        }
        match self.allow_http {
            true => signer.dangerous_allow_http(),
            false => signer,
        }
    }
}

/// Without queries.
impl fmt::Debug for OAuth1ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(by_mode!("OAuth1ClientBuilder", "AsyncOAuth1ClientBuilder"))
            .field("client_key", &self.client_key)
            .field("client_secret", &self.client_secret)
            .field("token", &self.token)
            .field("signature_method", &self.method)
            .field("signature_type", &self.placement)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

//! Builder of an OAuth 1.0 client.

use std::fmt;

use reqwest::Url;

use super::super::{
    http,
    oauth1::{client::OAuth1Client, session::SignedSession, shared::SignedSettings},
    settings::{HttpSettings, http_settings},
    transport::Follow,
};
use crate::{
    error::{Problems, Result},
    oauth1::{CredentialsHook, SignatureMethod, SignatureType, Signer, TokenCredentials},
    secret::Secret,
};

paired! {
    /// Settings of an OAuth 1.0 client. Setters cannot fail; [`build`](Self::build) reports every
    /// invalid setting by name.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth1_client_builder.md"),
        include_str!("../../../docs/examples/async/oauth1_client_builder.md")
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
        allow_unconfirmed_callback: bool,
        hooks: Vec<CredentialsHook>,
        http: HttpSettings,
    }
}

impl OAuth1ClientBuilder {
    pub(in super::super) fn new(client_key: String) -> Self {
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
            allow_unconfirmed_callback: false,
            hooks: Vec::new(),
            http: HttpSettings::new(),
        }
    }

    /// The client's shared secret. The RSA methods need none.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// The URL of the endpoint for temporary credentials (the "request token").
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn request_token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.request_token_endpoint = Some(url.into());
        self
    }

    /// The URL to which users are redirected. It may have a query with additional parameters of
    /// the provider.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.authorization_endpoint = Some(url.into());
        self
    }

    /// The URL of the endpoint for token credentials (the "access token").
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub fn access_token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.access_token_endpoint = Some(url.into());
        self
    }

    /// The callback URI, to which users return: absolute, or `oob` if the provider shows the user
    /// a verifier to type. Defaults to `oob`. It is sent with the request for temporary
    /// credentials, as `oauth_callback`, and nowhere else.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = uri.into();
        self
    }

    /// The initial token credentials, such as those of the last run. Without any the client signs
    /// for itself alone (two-legged).
    pub fn token(mut self, token: TokenCredentials) -> Self {
        self.token = Some(token);
        self
    }

    /// The signature method. Defaults to HMAC-SHA1.
    ///
    /// [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)
    pub fn signature_method(mut self, method: SignatureMethod) -> Self {
        self.method = method;
        self
    }

    /// The place of the protocol parameters. Defaults to the header. In the body they need a form
    /// or an empty body; other bodies are then an error, and nothing is sent.
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
    /// are streams, such as multipart forms, are then an error. Defaults to `false`.
    ///
    /// [OAuth Request Body Hash](https://datatracker.ietf.org/doc/html/draft-eaton-oauth-bodyhash-00)
    pub fn force_include_body(mut self, include: bool) -> Self {
        self.include_body = include;
        self
    }

    /// Whether up to ten redirects of an API call are followed within the origin, each signed
    /// anew. Defaults to `false`. All others are returned as they are, and so is one that asks for
    /// a stream to be sent again. The request's own `timeout` limits all of them together; one that
    /// `configure_http` sets limits each by itself.
    pub fn follow_same_origin_redirects(mut self, follow: bool) -> Self {
        self.follow_redirects = follow;
        self
    }

    /// Adds a hook that changes a response before it is read, for a server that departs from the
    /// RFC. Hooks run in the order in which they are added.
    pub fn compliance_hook(mut self, hook: CredentialsHook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Permits temporary credentials without `oauth_callback_confirmed=true`, for servers such as
    /// TripIt's, which speak the first version of OAuth 1.0.
    ///
    /// # Security
    ///
    /// In that version a login can be started by an attacker and finished by another user, whose
    /// data the attacker then gets. Tie the callback to the session of the user who was redirected.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub fn dangerous_allow_unconfirmed_callback(mut self) -> Self {
        self.allow_unconfirmed_callback = true;
        self
    }

    /// Creates the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), which names every invalid setting; or if TLS
    /// cannot be set up.
    pub fn build(self) -> Result<OAuth1Client> {
        let settings = self.settings()?;
        let transport = self.http.transport(Follow::Nothing, None)?;
        let session = SignedSession::new(settings, transport, self.token);
        Ok(OAuth1Client::new(session))
    }

    fn settings(&self) -> Result<SignedSettings> {
        let mut problems = Problems::default();
        if self.client_key.is_empty() {
            problems.add("client_key", "is empty");
        }
        if self.client_secret.as_ref().is_some_and(Secret::is_empty) {
            problems.add("client_secret", "is empty; leave it out if there is none");
        }
        let mut endpoint = |name, url: &Option<String>| {
            let url = self.http.url(name, url.as_deref(), &mut problems)?;
            let mut names = url.query_pairs().map(|(name, _)| name);
            if names.any(|name| name.starts_with("oauth_")) {
                problems.add(name, "must not have parameters of OAuth in its query");
            }
            Some(url)
        };
        let request_token_endpoint =
            endpoint("request_token_endpoint", &self.request_token_endpoint);
        let authorization_endpoint =
            endpoint("authorization_endpoint", &self.authorization_endpoint);
        let access_token_endpoint = endpoint("access_token_endpoint", &self.access_token_endpoint);
        if self.redirect_uri != "oob"
            && let Err(error) = Url::parse(&self.redirect_uri)
        {
            let problem = format!("is neither an absolute URI nor oob ({error})");
            problems.add("redirect_uri", &problem);
        }
        if let Err(error) = self.method.validate() {
            problems.add("signature_method", &format!("cannot be used: {error}"));
        }
        let realm = self.realm.as_deref().unwrap_or_default();
        if realm.contains(char::is_control) {
            problems.add("realm", "has a control character");
        } else if !realm.is_empty() && self.placement != SignatureType::Header {
            problems.add("realm", "is sent only in the header; see signature_type");
        }
        self.http.check(&mut problems);
        problems.result()?;
        Ok(SignedSettings {
            client_key: self.client_key.clone(),
            signer: self.signer(),
            request_token_endpoint,
            authorization_endpoint,
            access_token_endpoint,
            callback: self.redirect_uri.clone(),
            timeout: self.http.timeout,
            follow_redirects: self.follow_redirects,
            hooks: self.hooks.clone(),
        })
    }

    /// The signer of the client alone, without a token.
    fn signer(&self) -> Signer {
        let mut signer = Signer::new(&self.client_key)
            .signature_method(self.method.clone())
            .signature_type(self.placement)
            .force_include_body(self.include_body)
            .clock(self.http.clock.clone());
        if let Some(secret) = &self.client_secret {
            signer = signer.client_secret(secret);
        }
        if let Some(realm) = &self.realm {
            signer = signer.realm(realm);
        }
        if self.allow_unconfirmed_callback {
            signer = signer.dangerous_allow_unconfirmed_callback();
        }
        match self.http.allow_http {
            true => signer.dangerous_allow_http(),
            false => signer,
        }
    }
}

http_settings!(
    OAuth1ClientBuilder,
    timeout: "It does not limit requests to an API: these have reqwest's own limit, which is 30 \
              seconds in a blocking client and none in an async one, as an event stream may be \
              silent. The request's own `timeout` limits the whole of `send`.",
    clock: "The clock for the timestamps of signatures.",
);

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

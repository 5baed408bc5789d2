//! The clients that are compared, made in the same way everywhere.

use std::time::{Duration, SystemTime};

use oauth_twin::{
    AsyncOAuth2Client, AsyncOAuth2ClientBuilder, OAuth2Client, OAuth2ClientBuilder, Token,
    async_http_client_builder, http_client_builder,
    jose::Algorithm,
    oauth2::{DpopKey, RefreshPolicy},
    reqwest::{self, header::HeaderValue, redirect::Policy},
};

use super::BenchResult;

/// As long as many a server's opaque token.
pub const ACCESS_TOKEN: &str = "mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J";

/// As long as a short JWT.
pub const LONG_ACCESS_TOKEN: &str = concat!(
    "mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3JmF_9.B5f-4.1JqM2YotnFZFEjr1zCs",
    "icMWpAAtGzv3JmF_9.B5f-4.1JqM2YotnF"
);

/// The header that bare reqwest sends, made once.
pub fn header() -> HeaderValue {
    let mut header =
        HeaderValue::try_from(format!("Bearer {ACCESS_TOKEN}")).expect("a header value");
    header.set_sensitive(true);
    header
}

/// An hour's token without a refresh token.
pub fn token() -> Token {
    for_an_hour(ACCESS_TOKEN)
}

/// The token of a child, as long as that of many a user.
pub fn long_token() -> Token {
    for_an_hour(LONG_ACCESS_TOKEN)
}

fn for_an_hour(access_token: &str) -> Token {
    Token::new(access_token)
        .with_issued_at(SystemTime::now())
        .with_expires_at(SystemTime::now() + Duration::from_secs(3600))
}

/// An hour's token that can be renewed.
pub fn renewable_token() -> Token {
    token().with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA")
}

/// A new key on P-256.
pub fn dpop_key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).expect("a key")
}

/// Renewal settings of a client.
#[derive(Clone, Copy, Debug)]
pub enum Ours {
    /// No refresh token: a 401 is final.
    NothingToRenew,
    /// A refresh token, and the rule not to use it for a 401.
    RetryOff,
    /// A refresh token, so that each request is kept for a second try.
    RetryOn,
    /// The same on connections that the user has configured.
    Configured,
    /// With a DPoP key, whose proof each request has.
    Dpop,
}

macro_rules! ours {
    ($self:expr, $builder:expr) => {{
        let builder = $builder.token_endpoint("https://id.example/token");
        match $self {
            Self::NothingToRenew => builder.token(token()),
            Self::RetryOff => builder
                .token(renewable_token())
                .refresh_policy(RefreshPolicy::Expiry),
            Self::RetryOn => builder.token(renewable_token()),
            Self::Configured => builder.token(renewable_token()).configure_http(|http| http),
            Self::Dpop => {
                let key = dpop_key();
                builder
                    .token(renewable_token().with_dpop_key(&key))
                    .dpop(key)
            }
        }
    }};
}

impl Ours {
    fn asynchronous_builder(self) -> AsyncOAuth2ClientBuilder {
        ours!(self, AsyncOAuth2Client::builder("id"))
    }

    fn blocking_builder(self) -> OAuth2ClientBuilder {
        ours!(self, OAuth2Client::builder("id"))
    }

    pub fn asynchronous(self) -> BenchResult<AsyncOAuth2Client> {
        Ok(self.asynchronous_builder().build()?)
    }

    pub fn blocking(self) -> BenchResult<OAuth2Client> {
        Ok(self.blocking_builder().build()?)
    }
}

/// Settings of bare reqwest.
#[derive(Clone, Copy, Debug)]
pub enum Bare {
    /// As it comes.
    Default,
    /// With the rules that a client of ours sets for requests to an API.
    SameSettings,
}

macro_rules! same_settings {
    ($builder:expr) => {
        $builder
            .user_agent("oauth-twin/0.0.0")
            .connect_timeout(Duration::from_secs(10))
            .redirect(Policy::custom(|attempt| attempt.follow()))
            .referer(false)
    };
}

impl Bare {
    pub fn asynchronous(self) -> BenchResult<reqwest::Client> {
        let builder = async_http_client_builder();
        let builder = match self {
            Self::Default => builder,
            Self::SameSettings => same_settings!(builder),
        };
        Ok(builder.build()?)
    }

    pub fn blocking(self) -> BenchResult<reqwest::blocking::Client> {
        let builder = http_client_builder();
        let builder = match self {
            Self::Default => builder,
            Self::SameSettings => same_settings!(builder),
        };
        Ok(builder.build()?)
    }
}

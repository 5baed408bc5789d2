//! Settings of the HTTP side, which all clients have.

use std::time::Duration;

use reqwest::Url;

use super::super::transport::{
    ByTls, ConfigureHttp, ConnectionSettings, Follow, Guard, Presentation, Transport,
};
use crate::{
    clock::Clock,
    error::{Problems, Result},
    oauth2::client_auth::{certificate::value::ClientCertificate, settings::KnownCertificate},
    wire::secure_url::check_endpoint,
};

/// Settings of the HTTP side.
pub(in super::super) struct HttpSettings {
    pub(in super::super) timeout: Duration,
    pub(in super::super) configure: Option<ConfigureHttp>,
    pub(in super::super) certificate: Option<ClientCertificate>,
    /// What presents it.
    presentation: Option<&'static dyn Presentation>,
    pub(in super::super) clock: Clock,
    pub(in super::super) allow_http: bool,
    /// Whether the settings were used for a discovery.
    pub(in super::super) is_used: bool,
    /// Settings that were changed after they were used.
    late: Vec<&'static str>,
}

impl HttpSettings {
    pub(in super::super) fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            configure: None,
            certificate: None,
            presentation: None,
            clock: Clock::system(),
            allow_http: false,
            is_used: false,
            late: Vec::new(),
        }
    }

    /// Notes that a setting is changed.
    pub(in super::super) fn change(&mut self, setting: &'static str) {
        if self.is_used {
            self.late.push(setting);
        }
    }

    pub(in super::super) fn transport(
        &self,
        follow: Follow,
        guard: Option<Guard>,
    ) -> Result<Transport> {
        Transport::new(
            ConnectionSettings {
                configure: self.configure.clone(),
                timeout: self.timeout,
                allow_http: self.allow_http,
                follow,
                guard,
            },
            self.certificate.clone().zip(self.presentation),
        )
    }

    pub(in super::super) fn check(&self, problems: &mut Problems) {
        problems.note_if_zero("timeout", self.timeout);
        if let Some((certificate, by)) = self.certificate.as_ref().zip(self.presentation)
            && let Err(problem) = by.check(certificate)
        {
            problems.add("client_certificate", &problem);
        }
        for setting in &self.late {
            problems.add(
                setting,
                "was changed after discover, which has used it; move it before discover",
            );
        }
    }

    pub(in super::super) fn present(&mut self, certificate: ClientCertificate) {
        self.certificate = Some(certificate);
        self.presentation = Some(&ByTls);
    }

    /// The certificate, as far as it is known.
    pub(in super::super) fn known_certificate(&self) -> KnownCertificate<'_> {
        KnownCertificate {
            certificate: self.certificate.as_ref(),
            may_be_hidden: self.configure.is_some(),
        }
    }

    /// A URL, if there is one and it is valid.
    pub(in super::super) fn url(
        &self,
        name: &str,
        url: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Url> {
        match check_endpoint(url?, self.allow_http) {
            Ok(url) => Some(url),
            Err(problem) => {
                problems.add(name, &problem);
                None
            }
        }
    }
}

/// The methods of a builder with a field `http`; the documentation of two of them differs between
/// the clients.
macro_rules! http_settings {
    ($builder:ident, timeout: $timeout:expr, clock: $clock:expr $(,)?) => {
        impl $builder {
            /// The timeout of a call of one of the server's endpoints, repetitions included.
            /// Defaults to 30 seconds.
            ///
            #[doc = $timeout]
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.http.change("timeout");
                self.http.timeout = timeout;
                self
            }

            /// The client's certificate for mutual TLS, which is presented to servers and APIs that
            /// ask for one.
            ///
            /// [`ClientCertificate`](crate::oauth2::ClientCertificate) has an example. It needs one
            /// of the features `rustls`, `rustls-aws-lc-rs` and `native-tls`, and works with
            /// `configure_http`, for example for private roots. With `native-tls` alone the key has
            /// to be PKCS#8.
            ///
            /// [RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)
            #[doc(alias = "mtls")]
            #[doc(alias = "identity")]
            pub fn client_certificate(
                mut self,
                certificate: $crate::oauth2::ClientCertificate,
            ) -> Self {
                self.http.change("client_certificate");
                self.http.present(certificate);
                self
            }

            /// Changes reqwest's own builder: proxies, private roots, the pool.
            ///
            /// It is called for each of the inner clients: one for endpoints and one for API
            /// calls, and the same again for loopback if the environment names a proxy, which is
            /// not used for loopback. Redirects, `Referer` and the timeouts of endpoints are set
            /// after it. With this setting reqwest configures TLS itself, and the
            /// platform's roots are loaded again for each client; under the feature `rustls`,
            /// *ring* is installed as the process's provider if there is none.
            ///
            /// The endpoints of a server that is discovered are resolved by the system, so that
            /// their addresses can be checked; a `dns_resolver` serves API calls, and `resolve`
            /// serves both. A proxy resolves names itself.
            pub fn configure_http(
                mut self,
                configure: impl Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync + 'static,
            ) -> Self {
                self.http.change("configure_http");
                self.http.configure = Some(std::sync::Arc::new(configure));
                self
            }

            #[doc = $clock]
            /// Defaults to the system clock.
            #[doc(alias = "mock")]
            pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
                self.http.change("clock");
                self.http.clock = clock;
                self
            }

            /// Permits plain HTTP everywhere.
            ///
            /// # Security
            ///
            /// Anyone on the network path can read secrets and tokens and change responses. Loopback
            /// needs no permission.
            pub fn dangerous_allow_http(mut self) -> Self {
                self.http.allow_http = true;
                self
            }
        }
    };
}
pub(in super::super) use http_settings;

/// Documentation of `timeout` of a client whose tokens are renewed.
macro_rules! timeout_with_renewal {
    () => {
        "It does not limit requests to an API: these have reqwest's own limit, which is 30 seconds \
         in a blocking client and none in an async one, as an event stream may be silent. The \
         request's own `timeout` limits the whole of `send`, including the wait for a renewal, the \
         renewal and the one retry. Without it a request waits for a renewal for two of these \
         timeouts and a second, or with a `token_store` for three and 41 seconds.\n\nA request \
         that renews a token early waits for half of its limit, and then uses the old token while \
         the renewal continues."
    };
}
pub(in super::super) use timeout_with_renewal;

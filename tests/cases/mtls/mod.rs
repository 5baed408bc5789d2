//! Mutual TLS: the certificate as client authentication, bound tokens, and certificates that change.

use std::{collections::HashMap, sync::Mutex};

use oauth_twin::{
    oauth2::{
        AuthorizationServer, ClientCertificate, DeviceAuthorizationRequest, PrivateKeyJwt,
        PublicClient, SelfSignedTlsClientAuth, TlsClientAuth,
    },
    reqwest,
};
use support::tls::{self, Authority, Identity};

use super::{test, *};

mod binding;
mod endpoints;
mod own_tls;
mod rotation;
mod settings;

/// A provider with two servers: one for everybody, and one that admits clients with a certificate
/// alone, and keeps to which of them a token was issued.
struct Provider {
    authority: Authority,
    clients: Authority,
    plain: Server,
    mtls: Server,
}

impl Provider {
    fn start() -> Self {
        let (authority, clients) = (Authority::new(), Authority::new());
        let identity = authority.issue("localhost");
        let issued = Arc::new(Issued::default());
        let to = issued.clone();
        let (mtls, _) = tls::start(
            move |request: &Request| to.reply(request, None),
            &identity,
            Some(&clients),
        );
        let aliases = aliases(&mtls);
        let (plain, _) = tls::start(
            move |request: &Request| issued.reply(request, Some(&aliases)),
            &identity,
            None,
        );
        Self {
            authority,
            clients,
            plain,
            mtls,
        }
    }

    fn metadata(&self) -> AuthorizationServer {
        let base = self.plain.https("");
        serde_json::from_value(metadata(&base, &aliases(&self.mtls))).expect("metadata")
    }

    /// A client of the server, which trusts it and presents `identity`.
    fn builder(&self, identity: &Identity) -> OAuth2ClientBuilder {
        self.trusting(OAuth2Client::builder("id").server(self.metadata()))
            .client_certificate(certificate(identity))
    }

    fn trusting(&self, builder: OAuth2ClientBuilder) -> OAuth2ClientBuilder {
        let pem = self.authority.pem();
        builder.configure_http(move |http| {
            let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
            http.tls_certs_merge([root])
        })
    }

    /// The thumbprints that came with the requests for `path`.
    fn thumbprints(&self, path: &str) -> Vec<String> {
        let requests = self.mtls.requests(path);
        let thumbprints = requests.into_iter().map(|request| request.certificate);
        thumbprints.map(|it| it.expect("a certificate")).collect()
    }

    fn api(&self) -> String {
        self.mtls.https("/api")
    }
}

fn certificate(identity: &Identity) -> ClientCertificate {
    ClientCertificate::from_pem(identity.pem(), identity.pem()).expect("a certificate")
}

const ENDPOINTS: [(&str, &str); 5] = [
    ("token_endpoint", "/token"),
    ("revocation_endpoint", "/revoke"),
    ("introspection_endpoint", "/introspect"),
    ("device_authorization_endpoint", "/device"),
    ("userinfo_endpoint", "/userinfo"),
];

fn aliases(mtls: &Server) -> serde_json::Value {
    let aliases = ENDPOINTS.map(|(name, path)| (name.to_owned(), mtls.https(path).into()));
    serde_json::Value::Object(aliases.into_iter().collect())
}

fn metadata(base: &str, aliases: &serde_json::Value) -> serde_json::Value {
    let mut metadata = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "tls_client_certificate_bound_access_tokens": true,
        "mtls_endpoint_aliases": aliases,
    });
    for (name, path) in ENDPOINTS {
        metadata[name] = format!("{base}{path}").into();
    }
    metadata
}

/// The tokens that were issued, each with the certificate that it is bound to.
#[derive(Default)]
struct Issued(Mutex<HashMap<String, Option<String>>>);

impl Issued {
    fn reply(&self, request: &Request, aliases: Option<&serde_json::Value>) -> Reply {
        let certificate = request.certificate.clone();
        match (&*request.path, aliases) {
            ("/.well-known/openid-configuration", Some(aliases)) => {
                let base = format!("https://{}", request.header("host").expect("a host"));
                Reply::json(200, metadata(&base, aliases))
            }
            ("/token", _) => {
                let mut issued = self.0.lock().expect("a lock");
                let n = issued.len() + 1;
                issued.insert(format!("t{n}"), certificate);
                Reply::json(200, tokens(n, 600))
            }
            ("/introspect", _) => {
                let token = request.parameter("token").expect("a token");
                let issued = self.0.lock().expect("a lock");
                let bound = issued.get(&token).cloned().flatten();
                Reply::json(200, json!({"active": true, "cnf": {"x5t#S256": bound}}))
            }
            ("/device", _) => Reply::json(
                200,
                json!({"device_code": "d", "user_code": "u", "expires_in": 600,
                    "verification_uri": "https://id.example/device"}),
            ),
            ("/userinfo", _) => Reply::json(200, json!({"sub": "alice"})),
            ("/api", _) => {
                let token = request.header("authorization").unwrap_or_default();
                let token = token.trim_start_matches("Bearer ");
                let issued = self.0.lock().expect("a lock");
                match issued.get(token) {
                    Some(bound) if *bound == certificate => Reply::text(200, token),
                    // "the protected resource MUST reject the resource access attempt with an HTTP
                    // 401 status code and the "invalid_token" error code."
                    _ => Reply::text(401, "")
                        .with("www-authenticate", "Bearer error=\"invalid_token\""),
                }
            }
            _ => Reply::text(200, ""),
        }
    }
}

/// The token that the API has accepted.
#[maybe_async]
async fn call(client: &OAuth2Client, url: &str) -> oauth_twin::Result<String> {
    let response = client.get(url).send().await?;
    assert_eq!(response.status(), 200, "the API has refused the token");
    Ok(response.text().await?)
}

/// The API accepts this token.
#[maybe_async]
async fn accepted(client: &OAuth2Client, url: &str, token: &str) -> TestResult {
    let accepted = call(client, url).await?;
    assert_eq!(accepted, token);
    Ok(())
}

//! FAPI 2.0 and its parts against node `oidc-provider` behind TLS, and an API that verifies proofs and
//! certificates itself.

use std::path::PathBuf;

use oauth_twin::oauth2::ClientCertificate;
use serde_json::Value;

use super::{TestResult, address, logins::Server};
use crate::mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, maybe_async, own_client, test};

mod dpop;
mod logins;
mod mtls;
mod profiles;

/// A client of the server, whose metadata are discovered when they are needed.
fn client(id: &str) -> OAuth2ClientBuilder {
    OAuth2Client::builder(id)
        .discover_later(Server::Fapi.issuer())
        .scope("reports:read")
}

/// A file of the certificates: `NAME.pem` or `NAME.key.pem`.
fn file(name: &str) -> PathBuf {
    PathBuf::from(address("FAPI_CERTIFICATES")).join(name)
}

fn certificate(name: &str) -> ClientCertificate {
    let [chain, key] = ["pem", "key.pem"].map(|end| file(&format!("{name}.{end}")));
    ClientCertificate::from_files(chain, key).expect("a certificate")
}

/// The URL of the API.
#[maybe_async]
async fn api() -> String {
    let url = format!("{}/_test/api", Server::Fapi.issuer());
    let response = own_client().get(url).send().await.expect("an answer");
    let answer: Value = response.json().await.expect("JSON");
    format!("{}/reports/7?a=1", answer["api"].as_str().expect("a URL"))
}

/// What the API tells about the token that it has accepted.
#[maybe_async]
async fn called(client: &OAuth2Client) -> Result<Value, Box<dyn std::error::Error>> {
    let url = api().await;
    let response = client.get(url).send().await?;
    let status = response.status();
    let answer: Value = response.json().await?;
    assert_eq!(status, 200, "{answer}");
    Ok(answer)
}

/// The requests of a client at the endpoints where it authenticates.
#[maybe_async]
async fn log(client: &str) -> Vec<Value> {
    let request = own_client()
        .get(format!("{}/_test/log", Server::Fapi.issuer()))
        .query(&[("client", client)]);
    let response = request.send().await.expect("an answer");
    response.json().await.expect("JSON")
}

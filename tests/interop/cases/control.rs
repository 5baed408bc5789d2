//! The servers' side of a test: clients that are registered for it alone, requests that are counted,
//! and faults that are injected.

use serde_json::{Value, json};

use super::logins::Server;
use crate::mode::{maybe_async, own_client};

#[maybe_async]
impl Server {
    /// Registers the client that `metadata` describes.
    pub async fn register(self, metadata: &Value) {
        let url = format!("{}/_test/client", self.issuer());
        let response = own_client().post(url).json(metadata).send().await;
        let response = response.expect("the server answers");
        let status = response.status();
        let said = response.text().await.expect("a text");
        assert_eq!(status, 201, "{said}");
    }

    /// Starts a server of the same kind and with the same clients, on a port and with keys of its
    /// own. Returns its issuer.
    pub async fn another(self) -> String {
        let url = format!("{}/_test/provider", self.issuer());
        let response = own_client().post(url).send().await;
        let response = response.expect("the server answers");
        let answer: Value = response.json().await.expect("JSON");
        answer["issuer"].as_str().expect("an issuer").to_owned()
    }

    /// Makes the server trust the assertions of `issuer` by these keys, in requests of a client.
    pub async fn trust(self, client: &str, issuer: &str, keys: &Value) {
        let url = format!("{}/_test/platform", self.issuer());
        let request = own_client().post(url).query(&[("client", client)]);
        let platform = json!({"issuer": issuer, "jwks": keys});
        let response = request.json(&platform).send().await;
        let response = response.expect("the server answers");
        assert!(response.status().is_success());
    }

    /// The server's own count of successful and refused requests of a client by that grant.
    pub async fn counted(self, client: &str, grant_type: &str) -> (u64, u64) {
        let counts = self.asked_about(client, "counts").await;
        let count = |outcome: &str| counts[grant_type][outcome].as_u64().unwrap_or(0);
        (count("ok"), count("error"))
    }

    /// The server's reasons for refusing a client's token requests, which it does not tell the
    /// client.
    pub async fn reasons(self, client: &str) -> Vec<String> {
        let reasons = self.asked_about(client, "refusals").await;
        serde_json::from_value(reasons).expect("reasons")
    }

    async fn asked_about(self, client: &str, what: &str) -> Value {
        let request = own_client()
            .get(format!("{}/_test/{what}", self.issuer()))
            .query(&[("client", client)]);
        let response = request.send().await.expect("the server answers");
        response.json().await.expect("JSON")
    }

    /// Tells the server what to do with the tokens and the next requests of a client.
    pub async fn control(self, what: &str, client: &str, parameters: &[(&str, &str)]) {
        let request = own_client()
            .post(format!("{}/_test/{what}", self.issuer()))
            .query(&[("client", client)])
            .query(parameters);
        let response = request.send().await.expect("the server answers");
        assert!(response.status().is_success());
    }
}

/// Restarts the server with this issuer, which has other keys then and has lost nothing else.
#[maybe_async]
pub async fn restart(issuer: &str) {
    let url = format!("{issuer}/_test/restart");
    let response = own_client().post(url).send().await;
    let response = response.expect("the server answers");
    assert!(response.status().is_success());
}

//! Google service accounts.
//!
//! [Google Cloud: service account keys](https://cloud.google.com/iam/docs/keys-create-delete)

use serde_json::Value;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, SigningKey},
    json::Members,
    oauth2::grant::jwt_bearer::JwtBearer,
    secret::Secret,
};

/// Key file of a service account.
///
/// ```
/// use oauth_twin::oauth2::ServiceAccount;
///
/// # let file = include_bytes!("../../../../tests/vectors/service_account.json");
/// let account = ServiceAccount::from_json(file)?;
/// assert_eq!(account.token_uri(), "https://oauth2.googleapis.com/token");
/// // A grant for any HTTP library; `AssertionClient::from_service_account` is a whole client.
/// let grant = account.grant().scope("https://www.googleapis.com/auth/cloud-platform");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// Read only files that you trust: the file determines where requests are sent.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    client_email: String,
    token_uri: String,
    key: SigningKey,
}

impl ServiceAccount {
    /// Reads the key file.
    ///
    /// # Errors
    ///
    /// If it is not JSON, the file of another type of account, lacks members, or its key is
    /// invalid.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self> {
        let refused = |problem: &str| Error::usage(format!("the service account file {problem}"));
        let mut members = Members::from_slice(json.as_ref())
            .map_err(|_error| refused("is not a JSON object, or has a duplicate member"))?;
        // From here on the key is overwritten when it is dropped.
        let private_key = match members.remove("private_key") {
            Some(Value::String(key)) => Secret::new(key),
            _ => Secret::default(),
        };
        match members.get("type").and_then(Value::as_str) {
            Some("service_account") => {}
            Some("authorized_user") => {
                return Err(refused(
                    "is of the type authorized_user: the login of a user, with a refresh token; \
                     use OAuth2Client with RefreshToken",
                ));
            }
            Some("external_account" | "external_account_authorized_user") => {
                return Err(refused(
                    "is of the type external_account: workload identity federation, which has no \
                     key and is not supported here",
                ));
            }
            Some("impersonated_service_account") => {
                return Err(refused(
                    "is of the type impersonated_service_account: it has no key, but the login of \
                     a user who may act as a service account; download the key of the service \
                     account, or call the IAM Credentials API with the user's token",
                ));
            }
            Some("gdch_service_account") => {
                return Err(refused(
                    "is of the type gdch_service_account, that of Google Distributed Cloud; use \
                     AssertionClient::builder with its key and its token_uri",
                ));
            }
            // Google's files for web and desktop applications have no type.
            None if members.contains_key("installed") || members.contains_key("web") => {
                return Err(refused(
                    "is that of an OAuth client, with client_id and client_secret; use \
                     OAuth2Client",
                ));
            }
            _ => {
                return Err(refused(
                    "has no type service_account; download the key of a service \
                account",
                ));
            }
        }
        let names = ["client_email", "private_key", "token_uri"];
        let values = names.map(|name| {
            let text = match name {
                "private_key" => Some(private_key.expose_secret()),
                name => members.get(name).and_then(Value::as_str),
            };
            text.filter(|text| !text.is_empty())
        });
        let [Some(client_email), Some(pem), Some(token_uri)] = values else {
            let missing = names.into_iter().zip(values);
            let missing: Vec<_> = missing
                .filter_map(|(name, value)| value.is_none().then_some(name))
                .collect();
            return Err(refused(&format!("lacks {}", missing.join(", "))));
        };
        let key = SigningKey::from_pem(Algorithm::RS256, pem)
            .map_err(|error| refused(&format!("has an invalid private_key: {error}")))?;
        Ok(Self {
            client_email: client_email.to_owned(),
            token_uri: token_uri.to_owned(),
            // "kid" is optional, and some files that are made by hand lack it.
            key: match members.get("private_key_id").and_then(Value::as_str) {
                Some(key_id) if !key_id.is_empty() => key.with_key_id(key_id),
                _ => key,
            },
        })
    }

    /// The email address of the account, which is its issuer identifier.
    pub fn client_email(&self) -> &str {
        &self.client_email
    }

    /// The token endpoint, which is the audience of assertions.
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The key, with its `private_key_id`.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    /// The grant by which the account gets a token, with the scope as a claim, as Google requires.
    /// Set a [`subject`](JwtBearer::subject) to act on behalf of a user of your domain.
    ///
    /// [Google: domain-wide delegation](https://developers.google.com/identity/protocols/oauth2/service-account#delegatingauthority)
    pub fn grant(&self) -> JwtBearer {
        JwtBearer::new(&self.client_email, self.key.clone())
            .audience(self.token_uri.as_str())
            .scope_as_claim(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        jose::{Claims, Jws},
        oauth2::{AuthorizationServer, ClientRegistration, TokenEndpoint},
    };

    const FILE: &str = include_str!("../../../../tests/vectors/service_account.json");
    const AUTHORIZED_USER: &str = include_str!("../../../../tests/vectors/authorized_user.json");

    fn changed(member: &str, value: Value) -> String {
        let mut file: Value = serde_json::from_str(FILE).expect("the file");
        file[member] = value;
        file.to_string()
    }

    #[test]
    fn a_file() {
        let account = ServiceAccount::from_json(FILE).expect("an account");
        let file: Value = serde_json::from_str(FILE).expect("the file");
        assert_eq!(account.client_email(), file["client_email"]);
        let key_id = account.signing_key().key_id();
        assert_eq!(key_id, file["private_key_id"].as_str());
        assert!(!format!("{account:?}").contains("PRIVATE"));
    }

    #[test]
    fn the_key_id_is_optional() {
        for none in [Value::Null, "".into(), 7.into()] {
            let account = ServiceAccount::from_json(changed("private_key_id", none));
            assert_eq!(account.expect("an account").signing_key().key_id(), None);
        }
    }

    #[test]
    fn escaped_line_breaks_and_a_byte_order_mark_are_read() {
        let file: Value = serde_json::from_str(FILE).expect("the file");
        let escaped = file["private_key"]
            .as_str()
            .expect("a key")
            .replace('\n', "\\n");
        for file in [
            format!("\u{feff}{FILE}"),
            changed("private_key", escaped.into()),
        ] {
            assert!(ServiceAccount::from_json(file).is_ok());
        }
    }

    /// Independent of other knowledge of the client about the server.
    #[test]
    fn its_assertions_are_for_the_token_uri() {
        let account = ServiceAccount::from_json(FILE).expect("an account");
        let server = AuthorizationServer::new("https://accounts.google.com")
            .with_token_endpoint("https://proxy.example/token");
        let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"));
        let request = endpoint
            .expect("a URL")
            .request(&account.grant())
            .expect("a request");
        let token = request.form().value("assertion").expect("an assertion");
        let jws = Jws::parse(token.expose_secret()).expect("a token");
        let key = account.signing_key().verifying_key();
        let claims = Claims::from_slice(jws.verify(&key).expect("its signature"));
        let claims = claims.expect("claims");
        assert!(claims.audience().eq([account.token_uri()]));
    }

    #[test]
    fn a_file_that_is_not_a_service_account_is_described() {
        let two = FILE.replacen('{', r#"{"type":"service_account","#, 1);
        for (file, problem) in [
            ("", "is not a JSON object"),
            ("[]", "is not a JSON object"),
            (&two, "is not a JSON object"),
            (
                "{}",
                "has no type service_account; download the key of a service account",
            ),
            (
                r#"{"installed":{"client_id":"a"}}"#,
                "is that of an OAuth client",
            ),
            (AUTHORIZED_USER, "is of the type authorized_user"),
            (
                &changed("type", "external_account".into()),
                "is of the type external_account",
            ),
            (
                &changed("type", "impersonated_service_account".into()),
                "is of the type impersonated_service_account",
            ),
            (&changed("type", 7.into()), "has no type"),
            (&changed("token_uri", Value::Null), "lacks token_uri"),
            (&changed("client_email", "".into()), "lacks client_email"),
            (&changed("private_key", json!(["x"])), "lacks private_key"),
            (
                r#"{"type":"service_account"}"#,
                "lacks client_email, private_key, token_uri",
            ),
            (
                &changed("private_key", "hunter2".into()),
                "has an invalid private_key: the PEM contains no private key",
            ),
        ] {
            let error = ServiceAccount::from_json(file).expect_err(problem);
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("the service account file {problem}")),
                "{text}"
            );
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}

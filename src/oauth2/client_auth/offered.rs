//! Client authentication that a server offers.
//!
//! [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)

use serde_json::Value;

use super::ClientAuth;
use crate::{
    jose::Algorithm,
    oauth2::{client::ClientRegistration, server::metadata::AuthorizationServer},
};

/// Methods that are known; others in a list say nothing about these.
const METHODS: [&str; 6] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// Checks that the server offers the method and its algorithm at `endpoint`.
///
/// A public client is not checked: several servers do not list `none` (Keycloak, Entra ID).
pub(crate) fn check_offered(
    auth: &dyn ClientAuth,
    registration: &ClientRegistration,
    server: &AuthorizationServer,
    endpoint: &str,
) -> Result<(), String> {
    let Some(method) = auth.method().filter(|method| *method != "none") else {
        return Ok(());
    };
    if !offers_method(server, endpoint, method) {
        let (name, offered) = list(server, endpoint, "methods");
        return Err(format!(
            "is {method}, which the server does not offer ({name}: {})",
            offered.join(", ")
        ));
    }
    let Some(algorithm) = auth.signing_algorithm(registration) else {
        return Ok(());
    };
    let (name, offered) = list(server, endpoint, "signing_alg_values");
    let known = offered.iter().filter_map(|name| name.parse().ok());
    let known: Vec<Algorithm> = known.collect();
    match known.is_empty() || known.contains(&algorithm) {
        true => Ok(()),
        false => Err(format!(
            "signs with {algorithm}, which the server does not offer ({name}: {})",
            offered.join(", ")
        )),
    }
}

/// Whether the server offers the method at `endpoint`, as far as it says.
pub(crate) fn offers_method(server: &AuthorizationServer, endpoint: &str, method: &str) -> bool {
    let (_, offered) = list(server, endpoint, "methods");
    !offered.iter().any(|name| METHODS.contains(name)) || offered.contains(&method)
}

/// The list of `endpoint`, or else that of the token endpoint, with its name.
fn list<'a>(server: &'a AuthorizationServer, endpoint: &str, what: &str) -> (String, Vec<&'a str>) {
    let lists = [endpoint, "token_endpoint"].map(|endpoint| {
        let name = format!("{endpoint}_auth_{what}_supported");
        let values = server.get(&name).and_then(Value::as_array)?;
        Some((name, values.iter().filter_map(Value::as_str).collect()))
    });
    lists.into_iter().flatten().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jose::SigningKey,
        oauth2::client_auth::{
            default_method::default_client_auth,
            jwt::{ClientSecretJwt, PrivateKeyJwt},
            none::PublicClient,
            secret::{ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost},
        },
    };

    const TOKEN: &str = "token_endpoint";
    const REVOCATION: &str = "revocation_endpoint";
    const LIST: &str = "token_endpoint_auth_methods_supported";
    const ALGORITHMS: &str = "token_endpoint_auth_signing_alg_values_supported";

    fn server(name: &str, values: &[&str]) -> AuthorizationServer {
        AuthorizationServer::default().with_member(name, values)
    }

    fn check(
        auth: &dyn ClientAuth,
        server: &AuthorizationServer,
        endpoint: &str,
    ) -> Result<(), String> {
        let client = ClientRegistration::new("id").with_client_secret("secret");
        check_offered(auth, &client, server, endpoint)
    }

    #[test]
    fn a_method_that_is_not_listed_is_named() {
        let post = server(LIST, &["client_secret_post", "of_the_future"]);
        for endpoint in [TOKEN, REVOCATION] {
            assert_eq!(check(&ClientSecretPost, &post, endpoint), Ok(()));
            assert_eq!(check(&PublicClient, &post, endpoint), Ok(()));
            for auth in [&ClientSecretBasic as &dyn ClientAuth, &ClientSecretBasicRaw] {
                let problem = check(auth, &post, endpoint).expect_err("not listed");
                let words = "is client_secret_basic, which the server does not offer";
                let lists = format!("({LIST}: client_secret_post, of_the_future)");
                assert_eq!(problem, format!("{words} {lists}"));
            }
            assert!(check(&ClientSecretJwt::new(), &post, endpoint).is_err());
        }
        // The endpoint's own list counts.
        let own = ["client_secret_basic"].as_slice();
        let own = post.with_member("revocation_endpoint_auth_methods_supported", own);
        assert_eq!(check(&ClientSecretBasic, &own, REVOCATION), Ok(()));
        assert!(check(&ClientSecretPost, &own, REVOCATION).is_err());
    }

    #[test]
    fn a_list_without_a_known_name_narrows_nothing() {
        for server in [
            AuthorizationServer::default(),
            server(LIST, &[]),
            server(LIST, &["of_the_future"]),
            server(LIST, &["none"]),
            AuthorizationServer::default().with_member(LIST, "client_secret_post"),
            server(ALGORITHMS, &["of the future", "none"]),
        ] {
            assert_eq!(check(&ClientSecretBasic, &server, TOKEN), Ok(()));
            assert_eq!(check(&ClientSecretJwt::new(), &server, TOKEN), Ok(()));
        }
    }

    #[test]
    fn an_algorithm_that_is_not_listed_is_named() {
        let jwt = ClientSecretJwt::new();
        let problem = check(&jwt, &server(ALGORITHMS, &["HS512", "x"]), TOKEN);
        let problem = problem.expect_err("not listed");
        assert!(problem.starts_with("signs with HS256"), "{problem}");
        assert_eq!(check(&jwt, &server(ALGORITHMS, &["HS256"]), TOKEN), Ok(()));
        let pem = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
        let key = SigningKey::from_pem(Algorithm::ES256, pem).expect("a key");
        let jwt = PrivateKeyJwt::new(key);
        assert!(check(&jwt, &server(ALGORITHMS, &["PS256"]), TOKEN).is_err());
        assert_eq!(
            check(&jwt, &server(ALGORITHMS, &["PS256", "ES256"]), TOKEN),
            Ok(())
        );
    }

    #[test]
    fn the_default_follows_the_metadata() {
        let client = ClientRegistration::new("id").with_client_secret("secret");
        for (values, method) in [
            (&[][..], "client_secret_basic"),
            (&["client_secret_post"], "client_secret_post"),
            (
                &["client_secret_post", "client_secret_basic"],
                "client_secret_basic",
            ),
            (&["private_key_jwt"], "client_secret_basic"),
        ] {
            let auth = default_client_auth(&client, &server(LIST, values), TOKEN);
            assert_eq!(auth.method(), Some(method), "{values:?}");
        }
        let public = ClientRegistration::new("id");
        let public = default_client_auth(&public, &server(LIST, &["none"]), TOKEN);
        assert_eq!(public.method(), Some("none"));
    }
}

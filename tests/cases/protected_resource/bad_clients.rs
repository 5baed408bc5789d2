//! The mistakes of the public suite's own bad clients, none of which this one makes. The tests are
//! named as those are.

use std::sync::{Arc, MutexGuard};

use oauth_twin::{
    jose::Algorithm,
    oauth2::{DpopKey, ExtensionGrant},
};
use support::dpop::State as Proofs;

use super::{super::test, *};

/// The world of a client that has used `/mcp`, with the servers and what the user has seen.
#[maybe_async]
async fn used(world: &World) -> Result<(Server, Server), Box<dyn std::error::Error>> {
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, world).build()?;
    opened(&client, &resource, "/mcp").await?;
    Ok((server, resource))
}

/// It fetches the metadata where nobody has said that they are.
#[maybe_async]
#[test]
async fn bad_prm() -> TestResult {
    let world = World::new();
    world.change(|state| state.place = "/custom/metadata/location.json");
    let (_, resource) = used(&world).await?;
    assert_eq!(resource.count(PATH) + resource.count(ROOT), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn ignore_403() -> TestResult {
    let world = World::new();
    world.change(|state| state.needs.extend([("/mcp/call", "write")]));
    let (_server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    opened(&client, &resource, "/mcp/call").await?;
    assert_eq!(world.visits().len(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn ignore_scope() -> TestResult {
    let world = World::new();
    world.change(|state| state.needs.extend([("/mcp", "mcp:basic")]));
    used(&world).await?;
    assert_eq!(world.scopes(), ["mcp:basic"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn partial_scopes() -> TestResult {
    let world = World::new();
    let all = json!(["mcp:basic", "mcp:read", "mcp:write"]);
    world.change(|state| state.resource.push(("scopes_supported", all)));
    used(&world).await?;
    assert_eq!(world.scopes(), ["mcp:basic mcp:read mcp:write"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn no_retry_limit() -> TestResult {
    let world = World::new();
    let (_server, behind) = (world.server(""), world.clone());
    let resource = Server::start(move |request: &Request| {
        match (&*request.path, request.header("authorization")) {
            ("/mcp", Some(_)) => Reply::text(403, "").with(
                "www-authenticate",
                "Bearer error=\"insufficient_scope\", scope=\"mcp:admin\"",
            ),
            _ => behind.answer(request),
        }
    });
    let client = attended(&resource, &world).build()?;
    for _ in 0..5 {
        let found = status(&client, &resource, "/mcp").await;
        assert!(found.is_err());
    }
    assert!(world.visits().len() <= 3, "{:?}", world.scopes());
    Ok(())
}

#[maybe_async]
#[test]
async fn no_pkce() -> TestResult {
    let world = World::new();
    let (server, _) = used(&world).await?;
    let asked = &world.visits()[0];
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["code_challenge"].len(), 43);
    let verifier = server.requests("/token")[0].parameter("code_verifier");
    assert!(verifier.is_some_and(|verifier| verifier.len() >= 43));
    Ok(())
}

#[maybe_async]
#[test]
async fn no_cimd() -> TestResult {
    let world = World::new();
    let supported = ("client_id_metadata_document_supported", true.into());
    world.change(|state| state.server.push(supported));
    let (server, resource) = (world.server(""), world.resource());
    let document = "https://conformance-test.local/client-metadata.json";
    let client = attended(&resource, &world)
        .client_metadata_document(document)
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits()[0]["client_id"], document);
    assert_eq!(server.count("/register"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn no_application_type() -> TestResult {
    let world = World::new();
    let (server, _) = used(&world).await?;
    let sent: Value = serde_json::from_slice(&server.requests("/register")[0].body)?;
    assert_eq!(sent["application_type"], "native");
    Ok(())
}

#[maybe_async]
#[test]
async fn reuse_credentials() -> TestResult {
    let world = World::new();
    let (_old, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    world.change(|state| {
        state.issuers.clear();
        state.clients = 100;
    });
    let new = world.server("");
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(new.count("/register"), 1);
    assert_eq!(world.visits()[1]["client_id"], "c101");
    assert_eq!(
        new.requests("/token")[0].parameter("client_id").as_deref(),
        Some("c101")
    );
    Ok(())
}

/// A callback whose `iss` is `change` of the right one leads to no request with its code.
#[maybe_async]
async fn refuses_iss(change: impl Fn(&str) -> String) -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let iss = change(&server.url(""));
    world.change(|state| state.callback.push(("iss", iss)));
    let client = attended(&resource, &world).build()?;
    let found = status(&client, &resource, "/mcp").await;
    assert!(found.is_err());
    assert_eq!((world.visits().len(), server.count("/token")), (1, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn iss_normalize() -> TestResult {
    refuses_iss(|issuer| format!("{issuer}/")).await?;
    refuses_iss(|issuer| issuer.replace("http", "HTTP")).await
}

#[maybe_async]
#[test]
async fn iss_validation() -> TestResult {
    refuses_iss(|_| "https://evil.example.com".to_owned()).await?;
    refuses_iss(|_| "-".to_owned()).await
}

/// A resource and its server, which demand proofs with nonces, after a client with a key has used
/// `/mcp` twice.
struct Proving {
    world: World,
    proofs: Arc<Mutex<Proofs>>,
    server: Server,
    resource: Server,
    thumbprint: String,
}

impl Proving {
    #[maybe_async]
    async fn used() -> Result<Self, Box<dyn std::error::Error>> {
        let proofs = Arc::new(Mutex::new(Proofs::with_nonces()));
        let world = World::new();
        let (behind, shared) = (world.clone(), proofs.clone());
        let server = Server::start(move |request: &Request| {
            if request.path != "/token" {
                return behind.serve("", request);
            }
            let mut proofs = shared.lock().unwrap();
            let thumbprint = match proofs.proved(request) {
                Ok(thumbprint) => thumbprint,
                Err(refusal) => return refusal,
            };
            match behind.serve("", request) {
                Reply::Full { body, .. } => {
                    let n = behind.0.lock().unwrap().issued.len();
                    let answer = serde_json::from_slice(&body).unwrap();
                    proofs.issued(n, answer, &thumbprint)
                }
                raw => raw,
            }
        });
        world.change(|state| state.issuers.push(server.url("")));
        let (behind, shared) = (world.clone(), proofs.clone());
        let resource = Server::start(move |request: &Request| {
            let mut proofs = shared.lock().unwrap();
            let is_authorised = request.header("authorization").is_some();
            if is_authorised && let Err(refusal) = proofs.api(request) {
                return refusal;
            }
            let mut proved = request.clone();
            for (_, value) in &mut proved.headers {
                *value = value.replace("DPoP ", "Bearer ");
            }
            let mut reply = behind.answer(&proved);
            if let Reply::Full { headers, .. } = &mut reply {
                for (_, value) in headers {
                    *value = value.replace("Bearer ", "DPoP ");
                }
            }
            reply
        });
        let key = DpopKey::generate(Algorithm::ES256)?;
        let thumbprint = key.thumbprint().to_owned();
        let client = attended(&resource, &world).dpop(key).build()?;
        opened(&client, &resource, "/mcp").await?;
        opened(&client, &resource, "/mcp").await?;
        let proving = Self {
            world,
            proofs,
            server,
            resource,
            thumbprint,
        };
        assert_eq!(proving.proofs().violations, [""; 0]);
        assert_eq!(proving.world.visits().len(), 1);
        Ok(proving)
    }

    fn proofs(&self) -> MutexGuard<'_, Proofs> {
        self.proofs.lock().unwrap()
    }

    /// The requests for `/mcp` that had a token.
    fn authorised(&self) -> Vec<Request> {
        let mut requests = self.resource.requests("/mcp");
        requests.retain(|request| request.header("authorization").is_some());
        requests
    }
}

/// Each request has a proof of its own, the one after a demand for a nonce as well.
#[maybe_async]
#[test]
async fn dpop_replay() -> TestResult {
    let proving = Proving::used().await?;
    let sent = [proving.server.requests("/token"), proving.authorised()].concat();
    let proofs: HashSet<_> = sent.iter().map(|request| request.header("dpop")).collect();
    assert_eq!((sent.len(), proofs.len()), (5, 5));
    assert!(!proofs.contains(&None));
    let replay = proving.proofs().api(&sent[4]);
    assert!(replay.is_err(), "the resource takes a proof twice");
    Ok(())
}

/// A token that is bound to a key is nowhere sent by the scheme `Bearer`.
#[maybe_async]
#[test]
async fn dpop_bearer() -> TestResult {
    let proving = Proving::used().await?;
    let sent = proving.authorised();
    let schemes = sent.iter().map(|request| request.header("authorization"));
    assert_eq!(schemes.collect::<Vec<_>>(), [Some("DPoP t1"); 3]);
    Ok(())
}

/// The token request has a proof by the key that the authorization request has named.
#[maybe_async]
#[test]
async fn dpop_no_token_proof() -> TestResult {
    let proving = Proving::used().await?;
    assert_eq!(proving.world.visits()[0]["dpop_jkt"], proving.thumbprint);
    let proofs = proving.proofs();
    assert_eq!(proofs.bound.get("t1"), Some(&proving.thumbprint));
    let of_token = proofs.proofs.iter().filter(|(path, _)| path == "/token");
    let nonces: Vec<_> = of_token.map(|(_, claims)| &claims["nonce"]).collect();
    assert_eq!(nonces, [&Value::Null, &json!("as-0")]);
    Ok(())
}

/// A client whose platform gives it these assertions, and what it has sent.
#[maybe_async]
async fn workload(assertion: &str) -> Result<(u16, Vec<Request>), Box<dyn std::error::Error>> {
    let world = World::new();
    let behind = world.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" if request.parameter("assertion").as_deref() != Some("valid") => {
            Reply::error(400, "invalid_grant")
        }
        _ => behind.serve("", request),
    });
    world.change(|state| state.issuers.push(server.url("")));
    let resource = world.resource();
    let grant = ExtensionGrant::new("urn:ietf:params:oauth:grant-type:jwt-bearer")
        .param("assertion", assertion)
        .keep_for_renewal();
    let client = attended(&resource, &world)
        .client_id("wif")
        .grant(grant)
        .build()?;
    let status = status(&client, &resource, "/mcp").await;
    assert!(world.visits().is_empty());
    assert_eq!(server.count("/register"), 0);
    let sent = server.requests("/token");
    Ok((status.unwrap_or(0), sent))
}

#[maybe_async]
#[test]
async fn wif_expired_assertion() -> TestResult {
    let (status, _) = workload("valid").await?;
    assert_eq!(status, 200);
    let (status, _) = workload("expired").await?;
    assert_eq!(status, 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn wif_wrong_audience() -> TestResult {
    let (status, sent) = workload("wrong audience").await?;
    assert_eq!((status, sent.len()), (0, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn wif_retry() -> TestResult {
    let (_, sent) = workload("expired").await?;
    assert_eq!(sent.len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn wif_grant_fallback() -> TestResult {
    let (_, sent) = workload("expired").await?;
    for request in sent {
        let grant = request.parameter("grant_type");
        assert_eq!(
            grant.as_deref(),
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer")
        );
    }
    Ok(())
}

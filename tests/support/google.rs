//! A small Google: token endpoint, Security Token Service, impersonation, metadata server, AWS's
//! metadata server and an API. Each checks what it is sent, and says what is wrong with it.

use serde_json::{Value, json};

use super::server::{Reply, Request, Server};

pub const EMAIL: &str = "robot@reports.iam.gserviceaccount.com";
pub const POOL: &str =
    "//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/p/providers/q";
pub const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Google, which takes subject tokens that begin so.
pub fn google(subject: &'static str) -> Server {
    Server::start(move |request| answer(request, subject))
}

fn answer(request: &Request, subject: &str) -> Reply {
    let answered = match request.path.as_str() {
        "/v1/token" => exchange(request, subject),
        "/token" => token(request),
        path if path.starts_with("/v1/projects/-/serviceAccounts/") => impersonate(request),
        path if path.starts_with("/computeMetadata/") => metadata(request),
        path if path.starts_with("/latest/") => aws(request),
        "/api" => Ok(Reply::json(
            200,
            json!({
                "authorization": request.header("authorization"),
                "project": request.header("x-goog-user-project"),
            }),
        )),
        "/subject" => match request.header("metadata") {
            Some("True") => Ok(Reply::json(
                200,
                json!({"access_token": format!("{subject}-url")}),
            )),
            _ => Err("no header Metadata".to_owned()),
        },
        path => Err(format!("unknown path {path}")),
    };
    answered.unwrap_or_else(|problem| {
        let error = json!({"error": "invalid_request", "error_description": problem});
        Reply::json(400, error)
    })
}

fn demand(holds: bool, what: &str) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(what.to_owned()),
    }
}

fn no_project(request: &Request) -> Result<(), String> {
    demand(
        request.header("x-goog-user-project").is_none(),
        "the project is named",
    )
}

fn exchange(request: &Request, subject: &str) -> Result<Reply, String> {
    no_project(request)?;
    let is = |name: &str, value: &str| {
        let given = request.parameter(name);
        demand(
            given.as_deref() == Some(value),
            &format!("{name} is {given:?}"),
        )
    };
    demand(request.method == "POST", "not a POST")?;
    is("grant_type", GRANT)?;
    is("requested_token_type", ACCESS_TOKEN)?;
    is("audience", POOL)?;
    let token = request.parameter("subject_token").unwrap_or_default();
    demand(token.starts_with(subject), "another subject token")?;
    demand(request.parameter("client_id").is_none(), "a client_id")?;
    demand(
        request.header("authorization").is_none(),
        "a client authentication",
    )?;
    let scope = request.parameter("scope").unwrap_or_default();
    Ok(Reply::json(
        200,
        json!({
            "access_token": format!("federated {token} {scope}").replace(' ', "|"),
            "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600,
        }),
    ))
}

fn impersonate(request: &Request) -> Result<Reply, String> {
    no_project(request)?;
    demand(request.method == "POST", "not a POST")?;
    demand(
        request.header("content-type") == Some("application/json"),
        "not JSON",
    )?;
    let own = request.header("authorization").unwrap_or_default();
    demand(own.starts_with("Bearer "), "no bearer token")?;
    let sufficient = [
        CLOUD_PLATFORM,
        "https://www.googleapis.com/auth/iam",
        "user-token",
    ];
    demand(
        sufficient.iter().any(|scope| own.contains(scope)),
        "too little scope",
    )?;
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| "no JSON".to_owned())?;
    let delegates = &body["delegates"];
    demand(
        delegates.is_array() || delegates.is_null(),
        "other delegates",
    )?;
    let path = request
        .path
        .strip_prefix("/v1/projects/-/serviceAccounts/")
        .unwrap_or_default();
    match path.strip_prefix(EMAIL) {
        Some(":generateAccessToken") => {
            let lifetime = body["lifetime"].as_str().unwrap_or_default();
            demand(lifetime == "3600s", "another lifetime")?;
            let scope = body["scope"].as_array().ok_or("no list of scopes")?;
            let scope: Vec<_> = scope.iter().filter_map(Value::as_str).collect();
            Ok(Reply::json(
                200,
                json!({
                    "accessToken": format!("impersonated|{}", scope.join("|")),
                    "expireTime": "2099-10-02T15:01:23Z",
                }),
            ))
        }
        Some(":generateIdToken") => {
            demand(body["includeEmail"] == true, "no includeEmail")?;
            let audience = body["audience"].as_str().unwrap_or_default();
            Ok(Reply::json(200, json!({"token": id_token(audience)})))
        }
        _ => Err(format!("unknown account or method {path}")),
    }
}

fn token(request: &Request) -> Result<Reply, String> {
    no_project(request)?;
    match request.parameter("grant_type").as_deref() {
        Some("refresh_token") => {
            let token = request.parameter("refresh_token");
            if token.as_deref() != Some("1//0throw-away-refresh-token") {
                return Ok(Reply::error(400, "invalid_grant"));
            }
            demand(
                request.parameter("client_secret").is_some(),
                "no client_secret",
            )?;
            let scope = request.parameter("scope").unwrap_or_default();
            Ok(Reply::json(
                200,
                json!({
                    "access_token": format!("user-token|{scope}"), "expires_in": 3599,
                    "token_type": "Bearer", "id_token": "x.y.z",
                }),
            ))
        }
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
            let assertion = request.parameter("assertion").unwrap_or_default();
            let claims = claims(&assertion).ok_or("no assertion")?;
            Ok(
                match claims.get("target_audience").and_then(Value::as_str) {
                    Some(audience) => Reply::json(200, json!({"id_token": id_token(audience)})),
                    None => Reply::json(
                        200,
                        json!({
                            "access_token": format!("account {}", claims["scope"].as_str().unwrap_or_default()).replace(' ', "|"),
                            "expires_in": 3599, "token_type": "Bearer",
                        }),
                    ),
                },
            )
        }
        other => Err(format!("grant_type {other:?}")),
    }
}

fn metadata(request: &Request) -> Result<Reply, String> {
    demand(
        request.header("metadata-flavor") == Some("Google"),
        "no Metadata-Flavor",
    )?;
    demand(request.method == "GET", "not a GET")?;
    let query: Vec<(String, String)> = url::form_urlencoded::parse(request.query.as_bytes())
        .into_owned()
        .collect();
    let value = |name: &str| {
        let found = query.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let reply = match request.path.as_str() {
        "/computeMetadata/v1/instance/service-accounts/default/token" => Reply::json(
            200,
            json!({
                "access_token": format!("machine|{}", value("scopes")), "expires_in": 3599,
                "token_type": "Bearer",
            }),
        ),
        "/computeMetadata/v1/instance/service-accounts/default/identity" => {
            demand(value("format") == "full", "no format")?;
            Reply::text(200, id_token(&value("audience")))
        }
        path => return Err(format!("unknown path {path}")),
    };
    Ok(reply.with("Metadata-Flavor", "Google"))
}

fn aws(request: &Request) -> Result<Reply, String> {
    if request.path == "/latest/api/token" {
        let lifetime = request.header("x-aws-ec2-metadata-token-ttl-seconds");
        demand(
            request.method == "PUT" && lifetime == Some("300"),
            "no lifetime",
        )?;
        return Ok(Reply::text(200, "session"));
    }
    demand(
        request.header("x-aws-ec2-metadata-token") == Some("session"),
        "no session token",
    )?;
    match request.path.as_str() {
        "/latest/meta-data/placement/availability-zone" => Ok(Reply::text(200, "eu-west-1b")),
        "/latest/meta-data/iam/security-credentials" => Ok(Reply::text(200, "a role")),
        "/latest/meta-data/iam/security-credentials/a%20role" => Ok(Reply::json(
            200,
            json!({"AccessKeyId": "AKID", "SecretAccessKey": "hunter2", "Token": "session token"}),
        )),
        path => Err(format!("unknown path {path}")),
    }
}

/// A JWT that nobody verifies.
fn id_token(audience: &str) -> String {
    let part = |value: Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let header = part(json!({"alg": "RS256"}));
    format!(
        "{header}.{}.c2ln",
        part(json!({"aud": audience, "exp": 4_102_444_800_u64}))
    )
}

/// The claims of a JWT.
pub fn claims(jwt: &str) -> Option<Value> {
    use base64::Engine as _;
    let payload = jwt.split('.').nth(1)?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()?;
    serde_json::from_slice(&payload).ok()
}

/// An external account at this Google, with this `credential_source`.
pub fn external_account(server: &Server, source: Value) -> Value {
    json!({
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": server.url("/v1/token"),
        "credential_source": source,
    })
}

/// The URL of the impersonation.
pub fn impersonation(server: &Server) -> String {
    server.url(&format!(
        "/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    ))
}

/// The `credential_source` of AWS, with the metadata server here.
pub fn aws_source(server: &Server) -> Value {
    json!({
        "environment_id": "aws1",
        "region_url": server.url("/latest/meta-data/placement/availability-zone"),
        "url": server.url("/latest/meta-data/iam/security-credentials"),
        "regional_cred_verification_url":
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        "imdsv2_session_token_url": server.url("/latest/api/token"),
    })
}

//! From the URL of an API to an authorised client: protected resources, MCP servers among them.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use oauth_twin::{
    Secret,
    oauth2::{ClientMetadata, ResourceMatch},
    url::Url,
};
use serde_json::Value;

use super::*;

pub mod authentication;
mod bad_clients;
mod discovery;
mod fresh_process;
mod limits;
mod login;
mod migration;
mod revival;
mod settings;
mod step_up;
mod stores;
mod timeouts;
mod unattended;
mod users;

const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const ROOT: &str = "/.well-known/oauth-protected-resource";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A resource with its servers and its user, who agrees to everything.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct State {
    /// Changes of the resource's metadata.
    resource: Vec<(&'static str, Value)>,
    /// The path of the metadata.
    place: &'static str,
    /// Whether the challenge names that place.
    named: bool,
    /// The issuers whose tokens count, first of all that which the metadata name.
    issuers: Vec<String>,
    /// Changes of the metadata of all servers.
    server: Vec<(&'static str, Value)>,
    /// Whether they name the scope that was granted where it is the one that was asked for.
    omits_scope: bool,
    /// The scope that is granted instead of what was asked for.
    grants: Option<&'static str>,
    /// Whether refresh tokens are refused.
    refuses_refresh: bool,
    /// The type of all tokens, if it is not that of bearer tokens.
    token_type: Option<&'static str>,
    /// The secret of all clients, if they have one.
    secret: Option<&'static str>,
    /// Further endpoints of all servers.
    endpoints: Vec<(&'static str, &'static str)>,
    /// The scope that each path needs, if any.
    needs: HashMap<&'static str, &'static str>,
    /// Tokens with their issuers and scopes.
    issued: HashMap<String, (String, String)>,
    revoked: HashSet<String>,
    /// Clients that the servers do not know any longer.
    dropped: HashSet<String>,
    /// The authorization requests that the user has seen.
    visits: Vec<Url>,
    /// The authorization requests that were pushed.
    pushed: Vec<String>,
    /// Changes of the callback.
    callback: Vec<(&'static str, String)>,
    /// Whether the user refuses to log in.
    refuses: bool,
    clients: usize,
}

impl World {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            resource: Vec::new(),
            place: PATH,
            named: true,
            issuers: Vec::new(),
            server: Vec::new(),
            omits_scope: false,
            grants: None,
            refuses_refresh: false,
            token_type: None,
            secret: None,
            endpoints: Vec::new(),
            needs: HashMap::new(),
            issued: HashMap::new(),
            revoked: HashSet::new(),
            dropped: HashSet::new(),
            visits: Vec::new(),
            pushed: Vec::new(),
            callback: Vec::new(),
            refuses: false,
            clients: 0,
        })))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Adds an authorization server, whose issuer is at this path.
    pub fn server(&self, path: &'static str) -> Server {
        let world = self.clone();
        let server = Server::start(move |request: &Request| world.serve(path, request));
        let issuer = server.url(path);
        self.change(|state| state.issuers.push(issuer));
        server
    }

    /// Starts the resource.
    pub fn resource(&self) -> Server {
        let world = self.clone();
        Server::start(move |request: &Request| world.answer(request))
    }

    fn serve(&self, path: &str, request: &Request) -> Reply {
        let base = format!("http://{}", request.header("host").unwrap());
        let issuer = format!("{base}{path}");
        let client = request.parameter("client_id").unwrap_or_default();
        let mut state = self.0.lock().unwrap();
        match &*request.path {
            place if place == format!("{OAUTH}{path}") => {
                let mut metadata = json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/authorize"),
                    "token_endpoint": format!("{issuer}/token"),
                    "registration_endpoint": format!("{issuer}/register"),
                    "code_challenge_methods_supported": ["S256"],
                    "authorization_response_iss_parameter_supported": true,
                });
                for (name, place) in &state.endpoints {
                    metadata[*name] = format!("{issuer}{place}").into();
                }
                for (name, value) in &state.server {
                    metadata[*name] = value.clone();
                }
                Reply::json(200, metadata)
            }
            place if place == format!("{path}/register") => {
                state.clients += 1;
                let mut client: Value = serde_json::from_slice(&request.body).unwrap();
                client["client_id"] = format!("c{}", state.clients).into();
                if let Some(secret) = state.secret {
                    client["client_secret"] = secret.into();
                    client["token_endpoint_auth_method"] = "client_secret_post".into();
                }
                Reply::json(201, client)
            }
            _ if state.dropped.contains(&client)
                || state.secret.is_some_and(|it| {
                    request.parameter("client_secret").as_deref() != Some(it)
                }) =>
            {
                Reply::error(401, "invalid_client")
            }
            place if place == format!("{path}/revoke") => Reply::text(200, ""),
            place if place == format!("{path}/introspect") => {
                Reply::json(200, json!({"active": true}))
            }
            place if place == format!("{path}/par") => {
                state.pushed.push(request.form());
                let n = state.pushed.len();
                Reply::json(
                    201,
                    json!({"request_uri": format!("urn:{n}"), "expires_in": 60}),
                )
            }
            place if place == format!("{path}/device") => Reply::json(
                200,
                json!({
                    "device_code": "d", "user_code": "AB-CD", "expires_in": 600, "interval": 1,
                    "verification_uri": format!("{issuer}/enter"),
                }),
            ),
            place if place == format!("{path}/token") => {
                let grant = request.parameter("grant_type").unwrap();
                if state.refuses_refresh && grant == "refresh_token" {
                    return Reply::error(400, "invalid_grant");
                }
                let asked = match &*grant {
                    "authorization_code" => {
                        let code = request.parameter("code").unwrap();
                        code.trim_start_matches("c:").to_owned()
                    }
                    _ => request.parameter("scope").unwrap_or_default(),
                };
                let scope = state.grants.map_or(asked.clone(), str::to_owned);
                let n = state.issued.len() + 1;
                let mut token = tokens(n, 600);
                let is_omitted = state.omits_scope && scope == asked;
                if !scope.is_empty() && !is_omitted {
                    token["scope"] = scope.clone().into();
                }
                if let Some(token_type) = state.token_type {
                    token["token_type"] = token_type.into();
                }
                state.issued.insert(format!("t{n}"), (issuer, scope));
                Reply::json(200, token)
            }
            _ => Reply::text(404, ""),
        }
    }

    fn answer(&self, request: &Request) -> Reply {
        let base = format!("http://{}", request.header("host").unwrap());
        let state = self.0.lock().unwrap();
        if request.path == state.place {
            let mut metadata = json!({
                "resource": format!("{base}/mcp"), "authorization_servers": state.issuers,
            });
            for (name, value) in &state.resource {
                metadata[*name] = value.clone();
            }
            return Reply::json(200, metadata);
        }
        if !request.path.starts_with("/mcp") {
            return Reply::text(404, "");
        }
        let needed = state.needs.get(&*request.path).copied().unwrap_or_default();
        let mut challenge = match state.named {
            true => format!("Bearer resource_metadata=\"{base}{}\"", state.place),
            false => "Bearer realm=\"mcp\"".to_owned(),
        };
        if !needed.is_empty() {
            challenge += &format!(", scope=\"{needed}\"");
        }
        let token = request
            .header("authorization")
            .and_then(|it| it.strip_prefix("Bearer "));
        let issued = token.filter(|token| !state.revoked.contains(*token));
        let issued = issued.and_then(|token| state.issued.get(token));
        let Some((_, scope)) = issued.filter(|(issuer, _)| state.issuers.contains(issuer)) else {
            return Reply::text(401, "").with("www-authenticate", &challenge);
        };
        let granted: Vec<_> = scope.split(' ').collect();
        if !needed
            .split(' ')
            .all(|one| one.is_empty() || granted.contains(&one))
        {
            challenge += ", error=\"insufficient_scope\"";
            return Reply::text(403, "").with("www-authenticate", &challenge);
        }
        Reply::text(200, request.body.clone())
    }

    /// What the user does with the authorization URL: the callback.
    pub fn visit(&self, url: &Url) -> Result<Secret, BoxError> {
        let mut state = self.0.lock().unwrap();
        state.visits.push(url.clone());
        if state.refuses {
            return Err("the user went away".into());
        }
        let mut asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        if let Some(uri) = asked.get("request_uri") {
            let n: usize = uri.trim_start_matches("urn:").parse()?;
            let pushed = url::form_urlencoded::parse(state.pushed[n - 1].as_bytes());
            asked = pushed.into_owned().collect();
        }
        let mut callback = Url::parse(&asked["redirect_uri"])?;
        let issuer = url.as_str().split("/authorize").next().unwrap().to_owned();
        let scope = asked.get("scope").cloned().unwrap_or_default();
        let mut parameters = HashMap::from([
            ("code", format!("c:{scope}")),
            ("state", asked["state"].clone()),
            ("iss", issuer),
        ]);
        parameters.extend(state.callback.iter().cloned());
        let pairs = parameters.into_iter().filter(|(_, value)| value != "-");
        callback.query_pairs_mut().extend_pairs(pairs);
        Ok(Secret::from(String::from(callback)))
    }

    /// The parameters of the authorization requests that the user has seen.
    pub fn visits(&self) -> Vec<HashMap<String, String>> {
        let state = self.0.lock().unwrap();
        let visits = state.visits.iter();
        visits
            .map(|url| url.query_pairs().into_owned().collect())
            .collect()
    }

    /// The scopes that the user was asked for.
    pub fn scopes(&self) -> Vec<String> {
        let visits = self.visits().into_iter();
        visits
            .map(|mut asked| asked.remove("scope").unwrap_or_default())
            .collect()
    }

    /// The identifiers of the clients whose users were asked to log in.
    pub fn clients(&self) -> Vec<String> {
        let visits = self.visits().into_iter();
        visits
            .filter_map(|mut asked| asked.remove("client_id"))
            .collect()
    }

    /// All servers have this endpoint, too.
    #[cfg(feature = "login")]
    pub fn offer(&self, name: &'static str, path: &'static str) {
        self.change(|state| state.endpoints.push((name, path)));
    }

    /// The server loses a registration.
    pub fn drop_client(&self, client: &str) {
        self.change(|state| {
            state.dropped.insert(client.to_owned());
        });
    }

    fn revoke(&self, token: &str) {
        self.change(|state| state.revoked.extend([token.to_owned()]));
    }
}

/// A client for the resource, which is registered.
pub fn for_resource(resource: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::for_resource(resource.url("/mcp")).client_metadata(ClientMetadata::native("test"))
}

/// The same, whose user logs in.
#[maybe_async]
pub fn attended(resource: &Server, world: &World) -> OAuth2ClientBuilder {
    let world = world.clone();
    for_resource(resource).login_with(move |url: Url| {
        let world = world.clone();
        async move { world.visit(&url) }
    })
}

/// The status of a request for `path`.
#[maybe_async]
async fn status(client: &OAuth2Client, resource: &Server, path: &str) -> oauth_twin::Result<u16> {
    let response = client.get(resource.url(path)).send().await?;
    Ok(response.status().as_u16())
}

/// A request for `path` that the resource grants.
#[maybe_async]
async fn opened(client: &OAuth2Client, resource: &Server, path: &str) -> TestResult {
    let status = status(client, resource, path).await?;
    assert_eq!(status, 200, "{path}");
    Ok(())
}

/// The paths that were requested, in order.
fn paths(server: &Server) -> Vec<String> {
    server
        .all()
        .into_iter()
        .map(|request| request.path)
        .collect()
}

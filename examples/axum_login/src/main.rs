//! Users of a web application log in at an OpenID provider, in as many tabs as they like. The
//! application calls an API in their names, and logs them out here and at the provider.
//!
//! ```sh
//! ISSUER=https://id.example.com CLIENT_ID=… CLIENT_SECRET=… API=https://… cargo run
//! ```
//!
//! Register `http://127.0.0.1:3000/callback` as redirect URI at the provider, and
//! `http://127.0.0.1:3000/` as URI to return to after a logout.

use std::{env, sync::Arc, sync::Mutex};

use axum::extract::{FromRef, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Router, http::StatusCode, http::Uri, routing::get, routing::post};
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar, SameSite};
use oauth_twin::oauth2::{AuthorizationRequest, callback_state};
use oauth_twin::{AsyncOAuth2Client, BoxError, Token, TokenUpdate, oidc::LogoutRequest};
use rusqlite::{Connection, OptionalExtension, Params};
use tokio::{net::TcpListener, signal::unix, signal::unix::SignalKind};

#[derive(Clone, FromRef)]
struct App {
    client: AsyncOAuth2Client,
    database: Database,
    key: Key, // of the cookies; a new one at each start, which logs all users out
    home: String,
}

/// A row for each user: subject and token.
type Database = Arc<Mutex<Connection>>;

fn write(database: &Database, sql: &str, values: impl Params) -> Result<(), BoxError> {
    database.lock().expect("no panic").execute(sql, values)?;
    Ok(())
}

fn load(database: &Database, user: &str) -> Result<Option<Token>, BoxError> {
    let sql = "SELECT token FROM tokens WHERE user = ?";
    let row = database.lock().expect("no panic").query_one(sql, [user], |row| row.get(0));
    let json: Option<String> = row.optional()?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
}

/// The refresh token that is used up names the row.
fn update(database: &Database, update: TokenUpdate) -> Result<(), BoxError> {
    let Some(old) = update.previous_refresh_token else { return Ok(()) };
    let sql = "UPDATE tokens SET token = ? WHERE token ->> 'refresh_token' = ?";
    write(database, sql, (serde_json::to_string(&update.token)?, old.expose_secret()))
}

/// An error, as the user sees it.
struct Failure(BoxError);

impl<E: Into<BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.0.to_string()).into_response()
    }
}

/// The jar encrypts it.
fn cookie(name: String, value: String) -> Cookie<'static> {
    let cookie = Cookie::build((name, value)).path("/").http_only(true).secure(true);
    cookie.same_site(SameSite::Lax).build()
}

/// Each tab has a cookie of its own for the login that it has begun.
async fn log_in(State(app): State<App>, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let login = app.client.begin_authorization(AuthorizationRequest::new()).await?;
    let name = format!("login-{}", login.pending.state());
    let mut cookie = cookie(name, serde_json::to_string(&login.pending)?);
    cookie.set_max_age(time::Duration::minutes(10));
    Ok((jar.add(cookie), Redirect::to(login.url.as_str())).into_response())
}

/// The cookie goes first, so that no callback is used twice.
async fn callback(app: State<App>, uri: Uri, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let callback = uri.query().unwrap_or_default();
    let name = format!("login-{}", callback_state(callback)?);
    let pending = jar.get(&name).ok_or("this browser has not begun this login; begin again")?;
    let jar = jar.remove(cookie(name, String::new()));
    Ok(match complete(&app, pending.value(), callback).await {
        Ok(user) => (jar.add(cookie("user".into(), user)), Redirect::to("/")).into_response(),
        Err(failure) => (jar, failure).into_response(),
    })
}

async fn complete(app: &App, pending: &str, callback: &str) -> Result<String, Failure> {
    let pending = serde_json::from_str(pending)?;
    let login = app.client.complete_authorization(pending, callback).await?;
    let id_token = login.id_token.ok_or("this provider is without OpenID Connect")?;
    let (user, json) = (id_token.claims().subject(), serde_json::to_string(&login.token)?);
    write(&app.database, "REPLACE INTO tokens VALUES (?, ?)", [user, &json])?;
    Ok(user.to_owned())
}

/// A token is renewed when it has to be, once for all tabs.
async fn profile(State(app): State<App>, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let user = jar.get("user").map_or(String::new(), |cookie| cookie.value().to_owned());
    let Some(token) = load(&app.database, &user)? else {
        return Ok(Html("<a href=/login>Log in</a>").into_response());
    };
    let answer = match app.client.for_token(token).get(env::var("API")?).send().await {
        Err(error) if error.needs_login() => return Ok(Redirect::to("/login").into_response()),
        answer => answer?.error_for_status()?.text().await?,
    };
    let [user, answer] = [user, answer].map(|text| text.replace('&', "&amp;").replace('<', "&lt;"));
    let button = "<form method=post action=/logout><button>Log out</button></form>";
    Ok(Html(format!("<h1>{user}</h1><pre>{answer}</pre>{button}")).into_response())
}

async fn log_out(State(app): State<App>, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let user = jar.get("user").ok_or("nobody is logged in")?;
    let token = load(&app.database, user.value())?.ok_or("nobody is logged in")?;
    write(&app.database, "DELETE FROM tokens WHERE user = ?", [user.value()])?;
    let request = LogoutRequest::new().post_logout_redirect_uri(app.home);
    let url = app.client.for_token(token).logout(request).await?.url;
    let nobody = cookie("user".into(), String::new());
    Ok((jar.remove(nobody), Redirect::to(url.as_str())).into_response())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = env::var("PORT").unwrap_or("3000".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let home = format!("http://{}/", listener.local_addr()?);
    let database = Database::new(Connection::open("tokens.sqlite")?.into());
    write(&database, "CREATE TABLE IF NOT EXISTS tokens (user PRIMARY KEY, token)", ())?;
    let rows = database.clone();
    let client = AsyncOAuth2Client::builder(env::var("CLIENT_ID")?)
        .client_secret(env::var("CLIENT_SECRET")?)
        .discover_later(env::var("ISSUER")?)
        .redirect_uri(format!("{home}callback"))
        .scope(env::var("SCOPE").unwrap_or("openid offline_access".into()))
        .update_token(move |renewed| std::future::ready(update(&rows, renewed)))
        .build()?;
    let app = App { client: client.clone(), database, key: Key::generate(), home };
    let routes = Router::new()
        .route("/", get(profile))
        .route("/login", get(log_in))
        .route("/callback", get(callback))
        .route("/logout", post(log_out));
    let mut end = unix::signal(SignalKind::terminate())?;
    let end = async move { _ = end.recv().await };
    axum::serve(listener, routes.with_state(app)).with_graceful_shutdown(end).await?;
    Ok(client.close().await?)
}

//! Users of a web application log in at an OpenID provider, in as many tabs as they like. The
//! application calls an API in their names, and logs them out here and at the provider. Their tokens
//! are in Redis, so that it can run on several machines.
//!
//! ```sh
//! ISSUER=https://id.example.com CLIENT_ID=… CLIENT_SECRET=… API=https://… cargo run
//! ```
//!
//! Register `http://127.0.0.1:3000/callback` as redirect URI at the provider, and
//! `http://127.0.0.1:3000/` as URI to return to after a logout.

use std::env;

use axum::extract::{FromRef, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Router, http::StatusCode, http::Uri, routing::get, routing::post};
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar, SameSite};
use oauth_twin::oauth2::{AuthorizationRequest, callback_state};
use oauth_twin::{AsyncOAuth2Client, AsyncRedis, AsyncRedisTokenStore};
use oauth_twin::{BoxError, UserKey, oidc::LogoutRequest};
use tokio::{net::TcpListener, signal::unix, signal::unix::SignalKind};

#[derive(Clone, FromRef)]
struct App {
    client: AsyncOAuth2Client,
    key: Key, // of the cookies, for all machines
    home: String,
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
    let id_token = login.id_token.as_ref().ok_or("this provider is without OpenID Connect")?;
    let user = id_token.claims().subject().to_owned();
    login.keep_for(&user).await?;
    Ok(user)
}

/// A token is renewed when it has to be, once for all tabs and all machines.
async fn profile(State(app): State<App>, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let log_in = || Html("<a href=/login>Log in</a>").into_response();
    let Some(user) = jar.get("user") else { return Ok(log_in()) };
    let user = user.value().to_owned();
    let answer = match app.client.for_user(&user).get(env::var("API")?).send().await {
        Err(error) if error.needs_login() => return Ok(log_in()),
        answer => answer?.error_for_status()?.text().await?,
    };
    let [user, answer] = [user, answer].map(|text| text.replace('&', "&amp;").replace('<', "&lt;"));
    let button = "<form method=post action=/logout><button>Log out</button></form>";
    Ok(Html(format!("<h1>{user}</h1><pre>{answer}</pre>{button}")).into_response())
}

async fn log_out(State(app): State<App>, jar: PrivateCookieJar) -> Result<Response, Failure> {
    let user = jar.get("user").ok_or("nobody is logged in")?;
    let request = LogoutRequest::new().post_logout_redirect_uri(app.home);
    let url = app.client.for_user(user.value()).logout(request).await?.url;
    let nobody = cookie("user".into(), String::new());
    Ok((jar.remove(nobody), Redirect::to(url.as_str())).into_response())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = env::var("PORT").unwrap_or("3000".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let home = format!("http://{}/", listener.local_addr()?);
    let redis = AsyncRedis::open(&env::var("REDIS").unwrap_or("redis://127.0.0.1".into()))?;
    let store =
        move |user: &UserKey| AsyncRedisTokenStore::new(&redis, format!("tokens:{{{user}}}"));
    let client = AsyncOAuth2Client::builder(env::var("CLIENT_ID")?)
        .client_secret(env::var("CLIENT_SECRET")?)
        .discover_later(env::var("ISSUER")?)
        .redirect_uri(format!("{home}callback"))
        .scope(env::var("SCOPE").unwrap_or("openid offline_access".into()))
        .user_store(store)
        .build()?;
    let key =
        env::var("COOKIE_KEY").map_or_else(|_| Key::generate(), |key| Key::from(key.as_bytes()));
    let app = App { client: client.clone(), key, home };
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

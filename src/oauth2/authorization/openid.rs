//! Parameters of OpenID Connect in an authorization request, and what they ask of the ID token.
//!
//! [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Claims, Jws},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::{
            pkce::random_text,
            request::AuthorizationRequest,
            response_type::{ResponseMode, ResponseType},
        },
        scope::Scope,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::{callback::CallbackParameters, form::Form},
};

/// Parameters of OpenID Connect.
impl AuthorizationRequest {
    /// Sets the longest time since the end-user authenticated, in whole seconds; zero demands a new
    /// authentication. The ID token is checked for it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use oauth_twin::oauth2::AuthorizationRequest;
    ///
    /// let request = AuthorizationRequest::new().scope("openid").max_age(Duration::from_secs(900));
    /// ```
    ///
    /// [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        self.with_own("max_age", max_age.as_secs().to_string())
    }

    /// Sets the authentication context classes, in order of preference. It is voluntary for the
    /// server, unless [`require_acr`](Self::require_acr) is called.
    #[must_use]
    pub fn acr_values(self, acr_values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_own("acr_values", joined(acr_values))
    }

    /// Refuses an ID token whose `acr` is none of the [`acr_values`](Self::acr_values).
    ///
    /// ```
    /// use oauth_twin::oauth2::AuthorizationRequest;
    ///
    /// let request = AuthorizationRequest::new().scope("openid").acr_values(["phr"]).require_acr();
    /// ```
    ///
    /// [OpenID Connect Core section 5.5.1.1](https://openid.net/specs/openid-connect-core-1_0.html#acrSemantics)
    #[must_use]
    pub fn require_acr(mut self) -> Self {
        self.require_acr = true;
        self
    }

    /// Sets `prompt`: `none`, or one or several of `login`, `consent` and `select_account`. The ID
    /// token is checked for the new authentication that `login` demands. Defaults to `consent` if
    /// the scope has `openid` and `offline_access`, which Core section 11 requires.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        self.with_own("prompt", prompt.into())
    }

    /// Sets the identifier with which the end-user may log in, such as an e-mail address.
    #[must_use]
    pub fn login_hint(self, login_hint: impl Into<Secret>) -> Self {
        self.with_own("login_hint", login_hint)
    }

    /// Sets the encoded ID token of an earlier login of the end-user. With `prompt=none` the ID
    /// token has to be about the same end-user.
    #[must_use]
    pub fn id_token_hint(self, id_token: impl Into<Secret>) -> Self {
        self.with_own("id_token_hint", id_token)
    }

    /// Sets the languages of the user interface, in order of preference.
    #[must_use]
    pub fn ui_locales(self, locales: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with_own("ui_locales", joined(locales))
    }

    /// Sets the display of the user interface: `page`, `popup`, `touch` or `wap`.
    #[must_use]
    pub fn display(self, display: impl Into<String>) -> Self {
        self.with_own("display", display.into())
    }

    /// Sets the individual claims that are requested, as a JSON object. The ID token is checked for
    /// an essential `auth_time`, an essential `acr` with values, and a `sub` with a value.
    ///
    /// ```
    /// use oauth_twin::oauth2::AuthorizationRequest;
    ///
    /// let request = AuthorizationRequest::new().scope("openid").claims(serde_json::json!({
    ///     "userinfo": {"email": null},
    ///     "id_token": {"auth_time": {"essential": true}},
    /// }));
    /// ```
    ///
    /// [OpenID Connect Core section 5.5](https://openid.net/specs/openid-connect-core-1_0.html#ClaimsParameter)
    #[must_use]
    pub fn claims(self, claims: impl Into<Value>) -> Self {
        self.with_own("claims", claims.into().to_string())
    }

    /// Sets the `nonce`, of 22 to 64 unpredictable characters. With the scope `openid` it defaults
    /// to a new random one.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<Secret>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Sets the way in which the response comes back. Defaults to that of the response type.
    #[must_use]
    pub fn response_mode(self, response_mode: ResponseMode) -> Self {
        self.with_own("response_mode", response_mode.as_str())
    }

    fn with_own(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.own.set(name, value);
        self
    }
}

/// The issuer in the ID token of a callback. As that in the parameter `iss`, it is not verified: it
/// is there to tell an honest server from the one that the user was to be redirected to.
pub(super) fn unverified_issuer(parameters: &CallbackParameters) -> Option<Secret> {
    // That of an error would never be verified.
    if parameters.text("error").is_some() {
        return None;
    }
    let jws = Jws::parse(parameters.text("id_token")?).ok()?;
    let claims = Claims::from_slice(jws.unverified_payload()).ok()?;
    claims.issuer().map(Secret::from)
}

fn joined(values: impl IntoIterator<Item = impl Into<String>>) -> String {
    let values: Vec<String> = values.into_iter().map(Into::into).collect();
    values.join(" ")
}

/// Adds the parameters of OpenID Connect to `form`, which has those of OAuth, and returns what they
/// ask of the ID token.
pub(super) fn add_parameters(
    form: &mut Form,
    request: &AuthorizationRequest,
    scope: Option<&Scope>,
    server: &AuthorizationServer,
    now: Duration,
) -> Result<AuthenticationRequest> {
    let has_scope =
        |name| scope.is_some_and(|scope| scope.as_str().split(' ').any(|one| one == name));
    let openid = has_scope("openid");
    if request.response_type.has_id_token() && !openid {
        return Err(Error::usage(format!(
            "the response type {} needs the scope openid",
            request.response_type.as_str()
        )));
    }
    if request.require_acr && !openid {
        return Err(Error::usage(
            "require_acr needs the scope openid, as the ID token says which class was used",
        ));
    }
    let nonce = match &request.nonce {
        Some(nonce) if !(22..=64).contains(&nonce.expose_secret().len()) => {
            return Err(Error::usage(
                "the nonce must have 22 to 64 characters; leave it out for a random one",
            ));
        }
        Some(nonce) => Some(nonce.clone()),
        None if openid => Some(random_text()?),
        None => None,
    };
    if let Some(nonce) = &nonce {
        form.push("nonce", nonce);
    }
    form.extend(&request.own);
    let value = |name| value(request, name);
    for name in CHECKED {
        let given = request.parameters.iter().filter(|(one, _)| *one == name);
        if given.count() > 1 {
            return Err(Error::usage(format!(
                "the parameter {name} is set twice by param; remove one of them"
            )));
        }
    }
    for (name, _) in request.own.iter() {
        if request.parameters.value(name).is_some() {
            return Err(Error::usage(format!(
                "the parameter {name} is set by param and by its own method; remove one of them"
            )));
        }
    }
    let prompt: Vec<&str> = match value("prompt") {
        Some(prompt) => prompt.split(' ').collect(),
        // "prompt parameter value contains consent unless other conditions for processing the
        // request permitting offline access [...] are in place"
        None if openid && has_scope("offline_access") && request.response_type.has_code() => {
            form.push("prompt", "consent");
            vec!["consent"]
        }
        None => Vec::new(),
    };
    if prompt.contains(&"none") && prompt.len() > 1 {
        return Err(Error::usage(
            "the prompt none cannot be combined with another value",
        ));
    }
    check_response_mode(value("response_mode"), request.response_type, server)?;
    let max_age = match value("max_age").map(str::parse) {
        None => None,
        Some(Ok(max_age)) => Some(max_age),
        Some(Err(_)) => {
            return Err(Error::usage("the max_age is not a number of whole seconds"));
        }
    };
    let mut asked = AuthenticationRequest {
        openid,
        nonce,
        max_age,
        not_before: (max_age == Some(0) || prompt.contains(&"login")).then_some(now.as_secs()),
        acr: acr(request, openid)?,
        subject: None,
        ..AuthenticationRequest::default()
    };
    if let Some(hint) = value("id_token_hint").filter(|_| prompt.contains(&"none")) {
        asked.subject = subject(hint);
    }
    if let Some(claims) = value("claims") {
        add_claims(&mut asked, claims)?;
    }
    Ok(asked)
}

/// Parameters that the response is checked for. Of two values the server may take the one that is
/// not checked.
const CHECKED: [&str; 6] = [
    "acr_values",
    "claims",
    "id_token_hint",
    "max_age",
    "prompt",
    "response_mode",
];

/// The value of a parameter, by its own method or by `param`.
fn value<'a>(request: &'a AuthorizationRequest, name: &str) -> Option<&'a str> {
    let value = request
        .own
        .value(name)
        .or_else(|| request.parameters.value(name));
    value.map(Secret::expose_secret)
}

/// "The Response Mode query [...] MUST NOT be used" for what a query would put into logs.
fn check_response_mode(
    response_mode: Option<&str>,
    response_type: ResponseType,
    server: &AuthorizationServer,
) -> Result<()> {
    let Some(response_mode) = response_mode else {
        return Ok(());
    };
    if matches!(response_mode, "query" | "query.jwt") && response_type != ResponseType::Code {
        return Err(Error::usage(format!(
            "the response type {} must not be returned in the query; use ResponseMode::FormPost",
            response_type.as_str()
        )));
    }
    match server.offers("response_modes_supported", response_mode, &RESPONSE_MODES) {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "the server does not offer the response mode {response_mode} \
             (response_modes_supported: {:?})",
            server.response_modes_supported().unwrap_or_default()
        ))),
    }
}

/// Response modes that are known; others in a list say nothing about these.
const RESPONSE_MODES: [&str; 7] = [
    "query",
    "fragment",
    "form_post",
    "jwt",
    "query.jwt",
    "fragment.jwt",
    "form_post.jwt",
];

/// The authentication context classes of which one is required.
fn acr(request: &AuthorizationRequest, openid: bool) -> Result<Vec<String>> {
    let is_required = request.require_acr || (request.acr_is_challenged && openid);
    if !is_required {
        return Ok(Vec::new());
    }
    let acr_values = value(request, "acr_values").unwrap_or_default();
    let acr: Vec<String> = acr_values.split_whitespace().map(str::to_owned).collect();
    match acr.is_empty() {
        true => Err(Error::usage(
            "require_acr needs acr_values, one of which is required",
        )),
        false => Ok(acr),
    }
}

/// The subject of an ID token from an earlier login.
fn subject(id_token: &str) -> Option<String> {
    let jws = Jws::parse(id_token).ok()?;
    let claims = Claims::from_slice(jws.unverified_payload()).ok()?;
    claims.subject().map(str::to_owned)
}

/// Adds what the parameter `claims` asks of the ID token.
fn add_claims(asked: &mut AuthenticationRequest, claims: &str) -> Result<()> {
    let Ok(claims) = serde_json::from_str::<Map<String, Value>>(claims) else {
        return Err(Error::usage("the parameter claims is not a JSON object"));
    };
    let claim = |name: &str| claims.get("id_token")?.as_object()?.get(name)?.as_object();
    let is_essential = |claim: &Map<String, Value>| claim.get("essential") == Some(&true.into());
    asked.auth_time = claim("auth_time").is_some_and(is_essential);
    if let Some(acr) = claim("acr").filter(|acr| is_essential(acr)) {
        let values = acr.get("values").and_then(Value::as_array);
        let values = acr
            .get("value")
            .into_iter()
            .chain(values.into_iter().flatten());
        let values = values.filter_map(Value::as_str).map(str::to_owned);
        asked.acr.extend(values);
    }
    if let Some(subject) = claim("sub").and_then(|sub| sub.get("value")?.as_str()) {
        asked.subject = Some(subject.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;

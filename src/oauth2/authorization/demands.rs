//! Demands of security profiles on authorization requests.
//!
//! [FAPI 2.0 Security Profile section 5.3.3.2](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3.2),
//! [FAPI 2.0 Message Signing section 5.4.2](https://openid.net/specs/fapi-message-signing-2_0-final.html#section-5.4.2)

use url::Url;

use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::{
            pkce::Pkce,
            request::AuthorizationRequest,
            response_type::{ResponseMode, ResponseType},
        },
        server::profile::{Clause, Profile},
    },
    secret::Secret,
    wire::secure_url::is_loopback,
};

/// Adds what the profile demands of a request, or says what in it contradicts the profile.
pub(super) fn complete(
    request: &mut AuthorizationRequest,
    profile: Profile,
    redirect_uri: Option<&str>,
    is_signed: bool,
) -> Result<()> {
    let violation = |what: &str, clause| Err(Error::usage(profile.problem(what, clause)));
    if request.response_type != ResponseType::Code {
        let what = format!(
            "the response type is {} and not code",
            request.response_type.as_str()
        );
        return violation(&what, Clause::AuthorizationCode);
    }
    if request.pkce != Pkce::S256 {
        return violation("the PKCE method is not S256", Clause::Pkce);
    }
    let Some(redirect_uri) = redirect_uri else {
        return violation("there is no redirect_uri", Clause::RedirectUri);
    };
    let is_plain = |uri: &Url| uri.scheme() == "http" && !is_loopback(uri);
    if Url::parse(redirect_uri).is_ok_and(|uri| is_plain(&uri)) {
        return violation("the redirect_uri is not https", Clause::RedirectUri);
    }
    if !profile.signs_messages() {
        return Ok(());
    }
    if !is_signed {
        return violation("there is no request_object", Clause::SignedRequest);
    }
    let by_param = request.parameters.value("response_mode");
    let mode = request.own.value("response_mode").or(by_param);
    match mode.map(Secret::expose_secret) {
        None => {
            let mode = ResponseMode::Jwt.as_str();
            request.own.set("response_mode", mode);
            Ok(())
        }
        Some(mode) if mode == "jwt" || mode.ends_with(".jwt") => Ok(()),
        Some(_) => violation("the response mode is not jwt", Clause::SignedResponse),
    }
}

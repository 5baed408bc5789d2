//! ID tokens of logins, verified by the keys of the server.

use std::any::TypeId;

use super::super::{
    Led, boxed, documents::SHARE, keys::Unverified, maybe_async, session::Live, waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    jose::{Claims, JwkSet, Jws},
    oauth2::{
        authorization::response::AuthenticationResponse,
        grant::{
            Grant,
            authorization_code::{AuthorizationCode, ExpectedIdToken},
        },
        token::Token,
    },
    oidc::{
        id_token::IdToken,
        id_token_verifier::{IdTokenVerifier, IssuedIdToken, missing},
    },
    secret::Secret,
    trace,
};

/// What verifies ID tokens. Logins that ask for one lead to it, and settings by which one can be
/// verified: a program without both does not contain it.
pub(in super::super) trait IdTokens: Send + Sync {
    fn prepare<'a>(
        &self,
        live: &'a Live,
        expected: &'a ExpectedIdToken,
        deadline: Deadline,
    ) -> Led<'a, Result<Option<IdToken>>>;

    fn issued<'a>(
        &self,
        live: &'a Live,
        token: Token,
        expected: &'a ExpectedIdToken,
    ) -> Led<'a, Result<(Token, Option<IdToken>)>>;

    fn prepare_renewal<'a>(&self, live: &'a Live) -> Led<'a, Result<()>>;

    fn renewed<'a>(
        &self,
        live: &'a Live,
        verifier: &'a IdTokenVerifier,
        renewed: &'a Token,
        first: Option<&'a Secret>,
    ) -> Led<'a, Result<IdToken>>;
}

/// ID tokens that are verified by the keys of the server, or by the secret of the client.
pub(in super::super) struct SignedIdTokens;

impl IdTokens for SignedIdTokens {
    fn prepare<'a>(
        &self,
        live: &'a Live,
        expected: &'a ExpectedIdToken,
        deadline: Deadline,
    ) -> Led<'a, Result<Option<IdToken>>> {
        boxed(live.prepare(expected, deadline))
    }

    fn issued<'a>(
        &self,
        live: &'a Live,
        token: Token,
        expected: &'a ExpectedIdToken,
    ) -> Led<'a, Result<(Token, Option<IdToken>)>> {
        boxed(live.id_token_of(token, expected))
    }

    fn prepare_renewal<'a>(&self, live: &'a Live) -> Led<'a, Result<()>> {
        boxed(live.fetch_keys_for_renewal())
    }

    fn renewed<'a>(
        &self,
        live: &'a Live,
        verifier: &'a IdTokenVerifier,
        renewed: &'a Token,
        first: Option<&'a Secret>,
    ) -> Led<'a, Result<IdToken>> {
        boxed(live.renewed_id_token(verifier, renewed, first))
    }
}

/// ID token that a login leads to, and what verifies it if the login may have asked for it.
#[derive(Default)]
pub(in super::super) struct ExpectedLogin {
    id_token: ExpectedIdToken,
    verified_by: Option<&'static dyn IdTokens>,
}

impl ExpectedLogin {
    /// What a grant of any type leads to.
    #[inline]
    pub(in super::super) fn of<G: Grant + 'static>(grant: &G) -> Self {
        // The compiler knows the answer, so that other grants do not lead to what verifies ID tokens.
        match TypeId::of::<G>() == TypeId::of::<AuthorizationCode>() {
            true => Self::by_code(ExpectedIdToken::of(grant)),
            false => Self::default(),
        }
    }

    pub(in super::super) fn by_code(id_token: ExpectedIdToken) -> Self {
        Self {
            id_token,
            verified_by: Some(&SignedIdTokens),
        }
    }
}

impl Live {
    /// Checks that the token of a login is bound to a key, if the client has one.
    pub(in super::super) fn check_binding(&self, token: &Token) -> Result<()> {
        let rules = &self.shared.settings.rules;
        match &rules.dpop {
            Some(_) => rules.check(token).map_err(|it| Error::useless_answer(&it)),
            None => Ok(()),
        }
    }
}

#[maybe_async]
impl Live {
    /// A token by the grant of a login, and its ID token. The keys are there before the code is
    /// sent, as it can be sent once. Whether the token is bound is for the caller to check.
    pub(in super::super) async fn log_in(
        &self,
        grant: &dyn Grant,
        expected: &ExpectedLogin,
        reason: &'static str,
    ) -> Result<(Token, Option<IdToken>)> {
        let deadline = Deadline::after(self.shared.settings.timeout);
        let verified_by = self.shared.settings.openid.verified_by;
        let verified_by = expected.verified_by.or(verified_by);
        let expected = &expected.id_token;
        let first = match verified_by.filter(|_| expected.asked.openid) {
            Some(id_tokens) => id_tokens.prepare(self, expected, deadline).await?,
            None => None,
        };
        let token = self.call().request_token(grant, reason).await?;
        let (token, id_token) = match verified_by.filter(|_| token.id_token().is_some()) {
            Some(id_tokens) => id_tokens.issued(self, token, expected).await?,
            None if expected.asked.openid => return Err(missing()),
            None => (self.unverified(token)?, None),
        };
        if let (Some(first), Some(id_token)) = (&first, &id_token)
            && (first.issuer() != id_token.issuer()
                || first.claims().subject() != id_token.claims().subject())
        {
            return Err(Error::untrusted(
                "the ID token of the token response is not about the end-user of that in the \
                 callback (iss, sub)",
            ));
        }
        Ok((token, id_token))
    }

    /// The token of a login, and the ID token that came with it, verified. Where nobody asked for
    /// one and the keys are out of reach, it is dropped: the code that brought the token is spent.
    pub(in super::super) async fn id_token_of(
        &self,
        token: Token,
        expected: &ExpectedIdToken,
    ) -> Result<(Token, Option<IdToken>)> {
        let settings = &self.shared.settings;
        let is_asked = expected.asked.openid;
        let Some(id_token) = token.id_token() else {
            return match is_asked {
                true => Err(missing()),
                false => Ok((token, None)),
            };
        };
        let server = self.shared.known_or_fetched_server().await?;
        if !is_asked && !settings.can_verify_id_tokens(&server) {
            // Nothing is known by which it could be verified.
            return Ok((token, None));
        }
        let issued = IssuedIdToken {
            id_token,
            access_token: Some(token.access_token()),
            code: expected.code.as_ref(),
            front_channel: false,
        };
        let limit = match is_asked {
            true => settings.timeout,
            false => settings.timeout / SHARE,
        };
        let verified = self
            .verified(issued, expected, Deadline::after(limit))
            .await;
        match verified {
            Ok(id_token) => Ok((token, Some(id_token))),
            Err(Unverified::KeysOutOfReach(error)) if !is_asked => {
                trace::id_token_dropped(settings.name(), &error);
                Ok((token.without_id_token(), None))
            }
            Err(error) => Err(error.into_error()),
        }
    }

    /// Fetches the keys for a login that asks for an ID token, and verifies the ID token that came
    /// with its code.
    pub(in super::super) async fn prepare(
        &self,
        expected: &ExpectedIdToken,
        deadline: Deadline,
    ) -> Result<Option<IdToken>> {
        if !expected.asked.openid {
            return Ok(None);
        }
        let server = self.shared.fetch_server(deadline.left()).await?;
        if self
            .shared
            .settings
            .id_token_verifier(&server)?
            .needs_keys()
        {
            self.keys(deadline).await?;
        }
        let Some(id_token) = &expected.front_channel else {
            return Ok(None);
        };
        let issued = IssuedIdToken {
            code: expected.code.as_ref(),
            ..IssuedIdToken::alone(id_token)
        };
        let verified = self.verified(issued, expected, deadline).await?;
        Ok(Some(verified))
    }

    /// The ID token of a login, if all of it is right.
    async fn verified(
        &self,
        issued: IssuedIdToken<'_>,
        expected: &ExpectedIdToken,
        deadline: Deadline,
    ) -> Result<IdToken, Unverified> {
        let server = self.shared.known_or_fetched_server().await?;
        let verifier = self.shared.settings.id_token_verifier(&server)?;
        let jws = verifier.parse(issued.id_token)?;
        let claims = self.signed_claims(&verifier, &jws, deadline).await?;
        Ok(verifier.check(&jws, claims, issued, &expected.asked)?)
    }

    /// The ID token in the response to a login that asked for nothing else.
    pub(in super::super) async fn authenticate(
        &self,
        response: AuthenticationResponse,
    ) -> Result<IdToken> {
        let deadline = Deadline::after(self.shared.settings.timeout);
        let server = self.shared.known_or_fetched_server().await?;
        let verifier = self.shared.settings.id_token_verifier(&server)?;
        verifier.check_expiry(&response)?;
        let jws = verifier.parse(&response.id_token)?;
        let claims = self.signed_claims(&verifier, &jws, deadline).await?;
        let issued = IssuedIdToken::alone(&response.id_token);
        verifier.check(&jws, claims, issued, &response.asked)
    }

    /// The claims that the server has signed.
    pub(in super::super) async fn signed_claims(
        &self,
        verifier: &IdTokenVerifier,
        jws: &Jws<'_>,
        deadline: Deadline,
    ) -> Result<Claims, Unverified> {
        if let Some(claims) = verifier.claims_by_secret(jws)? {
            return Ok(claims);
        }
        let allowed = [jws.header().algorithm()];
        let payload = self.verify(jws, &allowed, deadline).await?;
        if !verifier.is_for_tenants() {
            return Ok(verifier.claims_by_keys(jws, &payload, &JwkSet::default())?);
        }
        let keys = self.keys(deadline).await;
        let keys = keys.map_err(Unverified::KeysOutOfReach)?;
        Ok(verifier.claims_by_keys(jws, &payload, keys.keys())?)
    }
}

impl Live {
    /// The token with an ID token that nobody asked for, if nothing is known by which it could be
    /// verified.
    pub(super) fn unverified(&self, token: Token) -> Result<Token> {
        let server = self.shared.server();
        let has_keys = server.is_some_and(|server| server.jwks_uri().is_some());
        match token.id_token().is_some() && has_keys {
            true => Err(unverifiable()),
            false => Ok(token),
        }
    }
}

/// Each setting of keys leads to what verifies ID tokens, so that none is passed on unverified.
pub(super) fn unverifiable() -> Error {
    Error::untrusted("the ID token cannot be verified")
}

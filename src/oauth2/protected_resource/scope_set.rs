//! Sets of scope tokens, and the choice of those that a login asks for.
//!
//! [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)

use crate::oauth2::{scope::Scope, server::metadata::AuthorizationServer};

use super::metadata::ProtectedResource;

/// Limit of a scope that strangers name, in bytes: it becomes a part of a URL.
const MAX_LENGTH: usize = 4096;

/// Scope token for a refresh token, which only the authorization server decides on.
const OFFLINE_ACCESS: &str = "offline_access";

/// Set of scope tokens, in the order in which they were named.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeSet(Vec<String>);

impl ScopeSet {
    /// The valid tokens of a scope, as far as they are not too many.
    pub(crate) fn of(scope: &str) -> Self {
        let mut set = Self::default();
        set.extend(scope.split(' '));
        set
    }

    /// Adds those of these tokens that are valid.
    fn extend<'a>(&mut self, tokens: impl IntoIterator<Item = &'a str>) {
        let mut length = self.0.iter().map(|token| token.len() + 1).sum::<usize>();
        for token in tokens {
            let is_valid =
                !token.is_empty() && !token.contains(' ') && Scope::from(token).validate().is_ok();
            length += token.len() + 1;
            if length > MAX_LENGTH {
                break;
            }
            if is_valid && !self.contains(token) {
                self.0.push(token.to_owned());
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// Whether each of the other tokens is in this set.
    pub(crate) fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().all(|token| self.contains(token))
    }

    #[must_use]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.extend(other.0.iter().map(String::as_str));
        self
    }

    pub(crate) fn to_scope(&self) -> Scope {
        self.0.iter().collect()
    }

    /// The scope that a first login asks for: what the calling code sets, with what the challenge
    /// names; or else what the challenge names; or else all that the resource supports; or else
    /// nothing. A refresh token is asked for only where the server says that it supports that.
    pub(crate) fn of_login(
        own: Option<&Scope>,
        challenged: &Self,
        resource: &ProtectedResource,
        server: &AuthorizationServer,
        wants_refresh_token: bool,
    ) -> Self {
        let set = match own {
            Some(own) => Self::of(own.as_str()).and(challenged),
            None if !challenged.is_empty() => challenged.clone(),
            None => {
                let mut set = Self::default();
                set.extend(resource.scopes_supported().unwrap_or_default());
                set
            }
        };
        set.with_offline_access(own, server, wants_refresh_token)
    }

    /// Adds or removes the scope token for a refresh token, unless the calling code sets it.
    fn with_offline_access(
        mut self,
        own: Option<&Scope>,
        server: &AuthorizationServer,
        wants_refresh_token: bool,
    ) -> Self {
        let is_own = own.is_some_and(|own| Self::of(own.as_str()).contains(OFFLINE_ACCESS));
        let supported = server.scopes_supported().unwrap_or_default();
        if supported.contains(&OFFLINE_ACCESS) {
            // By itself it would replace the server's default.
            if wants_refresh_token && !self.is_empty() {
                self.extend([OFFLINE_ACCESS]);
            }
        } else if !is_own {
            self.0.retain(|token| token != OFFLINE_ACCESS);
        }
        self
    }
}

/// Compares them without their order.
impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.contains_all(other) && other.contains_all(self)
    }
}

impl Eq for ScopeSet {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chosen(
        own: Option<&str>,
        challenged: &str,
        supported: Option<&[&str]>,
        server: &[&str],
    ) -> String {
        let own = own.map(Scope::from);
        let mut resource = ProtectedResource::new("https://a");
        if let Some(supported) = supported {
            resource = resource.with_member("scopes_supported", json!(supported));
        }
        let server = AuthorizationServer::default().with_scopes_supported(server.iter().copied());
        let set = ScopeSet::of_login(
            own.as_ref(),
            &ScopeSet::of(challenged),
            &resource,
            &server,
            true,
        );
        set.to_scope().as_str().to_owned()
    }

    #[test]
    fn the_challenge_then_what_is_supported_then_nothing() {
        assert_eq!(chosen(None, "a b", Some(&["c"]), &[]), "a b");
        assert_eq!(chosen(None, "", Some(&["c", "d"]), &[]), "c d");
        assert_eq!(chosen(None, "", None, &[]), "");
        assert_eq!(chosen(None, "", Some(&[]), &["x"]), "");
        assert_eq!(chosen(Some("o"), "a", Some(&["c"]), &[]), "o a");
        assert_eq!(chosen(Some("o"), "", Some(&["c"]), &[]), "o");
    }

    #[test]
    fn a_refresh_token_is_asked_for_only_where_it_is_supported() {
        assert_eq!(
            chosen(None, "a", None, &["offline_access"]),
            "a offline_access"
        );
        assert_eq!(chosen(None, "", None, &["offline_access"]), "");
        assert_eq!(chosen(None, "a offline_access", None, &["a"]), "a");
        assert_eq!(chosen(None, "", Some(&["offline_access", "a"]), &[]), "a");
        // The calling code knows its server.
        assert_eq!(
            chosen(Some("offline_access"), "", None, &[]),
            "offline_access"
        );
    }

    #[test]
    fn sets_are_united_and_compared_without_order() {
        let set = ScopeSet::of("a b").and(&ScopeSet::of("b c"));
        assert_eq!(set.to_scope().as_str(), "a b c");
        assert_eq!(set, ScopeSet::of("c a b"));
        assert_ne!(set, ScopeSet::of("a b"));
        assert!(set.contains_all(&ScopeSet::of("c a")) && set.contains_all(&ScopeSet::default()));
        assert!(!ScopeSet::of("a").contains_all(&set));
    }

    proptest! {
        #[test]
        fn what_strangers_name_is_valid_and_bounded(
            tokens in proptest::collection::vec("\\PC{0,300}", 0..64), challenged in "\\PC*",
        ) {
            let resource = ProtectedResource::new("https://a").with_member("scopes_supported", json!(tokens));
            let server = AuthorizationServer::default().with_scopes_supported(tokens);
            for challenged in [ScopeSet::default(), ScopeSet::of(&challenged)] {
                let set = ScopeSet::of_login(None, &challenged, &resource, &server, true);
                let scope = set.and(&challenged).to_scope();
                prop_assert!(scope.validate().is_ok());
                prop_assert!(scope.as_str().len() <= MAX_LENGTH);
            }
        }
    }
}

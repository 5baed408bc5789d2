//! Scopes.
//!
//! [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)

use std::{collections::HashSet, fmt};

use crate::error::{Error, ErrorCode, Result};

/// Scope of a token: scope tokens, separated by spaces on the wire.
///
/// ```
/// use oauth_twin::oauth2::Scope;
///
/// assert_eq!(Scope::from("read write").as_str(), "read write");
/// assert_eq!(Scope::from(["read", "write"]).as_str(), "read write");
/// assert!(Scope::from("no\"quotes").validate().is_err());
/// ```
///
/// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(String);

/// Advice about a login that was refused with this error, where it has asked for no scope.
pub(crate) fn missing_scope(code: &ErrorCode) -> Option<&'static str> {
    matches!(code, ErrorCode::AccessDenied | ErrorCode::InvalidScope).then_some(
        "no scope was asked for, which this server may demand; set scope of the builder, of the \
         request, or of the InteractiveLogin",
    )
}

impl Scope {
    /// The scope as on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scope is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scope with what `other` has beside it, each scope token once.
    pub(crate) fn including(&self, other: &Self) -> Self {
        let mut seen = HashSet::new();
        let tokens = self.0.split(' ').chain(other.0.split(' '));
        tokens
            .filter(|token| !token.is_empty() && seen.insert(*token))
            .collect()
    }

    /// Checks the syntax of the scope: printable ASCII without `"` and `\`.
    ///
    /// Builders of clients call it, and so do authorization requests.
    ///
    /// # Errors
    ///
    /// If there is a character that is not allowed, which the error names.
    pub fn validate(&self) -> Result<()> {
        // scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        match self
            .0
            .chars()
            .find(|c| !matches!(c, ' ' | '!' | '#'..='[' | ']'..='~'))
        {
            None => Ok(()),
            Some(c) => Err(Error::usage(format!(
                "the scope contains {c:?}, which RFC 6749 section 3.3 does not allow"
            ))),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Scope {
    fn from(scope: &str) -> Self {
        Self(scope.to_owned())
    }
}

impl From<String> for Scope {
    fn from(scope: String) -> Self {
        Self(scope)
    }
}

impl<S: AsRef<str>, const N: usize> From<[S; N]> for Scope {
    fn from(scopes: [S; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl<S: AsRef<str>> From<&[S]> for Scope {
    fn from(scopes: &[S]) -> Self {
        scopes.iter().collect()
    }
}

impl<S: AsRef<str>> From<Vec<S>> for Scope {
    fn from(scopes: Vec<S>) -> Self {
        scopes.into_iter().collect()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scope {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        let mut joined = String::new();
        for scope in scopes {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(scope.as_ref());
        }
        Self(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn iterators_are_joined_by_spaces() {
        let scope: Scope = vec!["a".to_owned(), "b".to_owned()].into();
        assert_eq!(scope.as_str(), "a b");
        assert!(Scope::from(Vec::<String>::new()).is_empty());
    }

    #[test]
    fn a_union_has_each_scope_token_once_in_order() {
        for (one, other, union) in [
            ("a b", "b c", "a b c"),
            ("", "a", "a"),
            ("a  a", "", "a"),
            ("ab", "a", "ab a"),
        ] {
            assert_eq!(Scope::from(one).including(&other.into()).as_str(), union);
        }
    }

    #[test]
    fn a_union_of_long_scopes_takes_no_long_time() {
        use std::time::{Duration, Instant};
        let tokens =
            |range: std::ops::Range<u32>| -> Scope { range.map(|n| format!("{n:x}")).collect() };
        let (one, other) = (tokens(0..40_000), tokens(20_000..60_000));
        let started = Instant::now();
        assert_eq!(one.including(&other), tokens(0..60_000));
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn what_the_grammar_leaves_out_is_refused() {
        for good in ["", "a", "openid email", "https://a/b.c,d!#[]~"] {
            assert!(Scope::from(good).validate().is_ok(), "{good:?}");
        }
        for bad in ["a\"b", "a\\b", "a\nb", "\u{e4}", "\0", "a\tb"] {
            assert!(Scope::from(bad).validate().is_err(), "{bad:?}");
        }
    }
}

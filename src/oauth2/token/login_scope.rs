//! The scope that a login has asked for, which is kept with the token.

use super::Token;
use crate::oauth2::scope::Scope;

/// Member of a stored token. It is kept by renewals.
const MEMBER: &str = "login_scope";

impl Token {
    /// Notes the scope that the login of this token has asked for. Some servers grant less or under
    /// other names, or do not say what they grant, and asking again changes nothing.
    #[must_use]
    #[allow(dead_code, reason = "only the clients log users in")]
    pub(crate) fn with_login_scope(mut self, scope: &Scope) -> Self {
        if !scope.is_empty() {
            self.change_rest(|rest| {
                rest.extra.insert(MEMBER.into(), scope.as_str().into());
            });
        }
        self
    }

    /// The scope that was requested for this token, as far as it is known.
    #[allow(dead_code, reason = "only the clients log users in")]
    pub(crate) fn login_scope(&self) -> Option<&str> {
        self.get(MEMBER)?.as_str()
    }

    /// The scope of the login that this token needs to have `asked`, without losing what it has;
    /// none if it has that, if its login has asked for that before, or if its scope is not known.
    #[allow(
        dead_code,
        reason = "only the interactive logins ask for more by themselves"
    )]
    pub(crate) fn scope_of_next_login(&self, asked: &Scope) -> Option<Scope> {
        let requested = self.login_scope();
        let granted = self.scope();
        let login = requested.or(granted)?;
        let has = |scope: &str| {
            let known = login.split_whitespace();
            known
                .chain(granted.unwrap_or_default().split_whitespace())
                .any(|known| known == scope)
        };
        let asked: Vec<&str> = asked.as_str().split_whitespace().collect();
        if asked.iter().all(|scope| has(scope)) {
            return None;
        }
        let others = login.split_whitespace();
        let others = others.filter(|scope| !asked.contains(scope));
        Some(asked.iter().copied().chain(others).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &serde_json::Value) -> Token {
        serde_json::from_value(json.clone()).expect("a token")
    }

    #[test]
    fn a_login_follows_if_a_scope_is_new() {
        for (scope, login, asked, next) in [
            (Some("a b"), None, "b a", None),
            (Some("a b"), None, "", None),
            (Some("a b"), None, "b c", Some("b c a")),
            // It is not known what the token may do.
            (None, None, "a", None),
            // The server has granted less than was asked for, or says nothing about it.
            (Some("a"), Some("a b"), "a b", None),
            (Some("a"), Some("a b"), "b c", Some("b c a")),
            (None, Some("a b"), "b", None),
            (None, Some("a b"), "c", Some("c a b")),
            // Or more, or under another name.
            (Some("a full"), Some("a"), "full", None),
            (Some("https://api.example/a"), Some("a"), "a", None),
        ] {
            let json = serde_json::json!({"access_token": "t", "scope": scope});
            let mut token = token(&json);
            if let Some(login) = login {
                token = token.with_login_scope(&login.into());
            }
            let found = token.scope_of_next_login(&asked.into());
            assert_eq!(
                found.as_ref().map(Scope::as_str),
                next,
                "{scope:?} {login:?} {asked}"
            );
        }
    }

    #[test]
    fn the_scope_of_the_login_is_stored_and_kept_by_renewals_and_not_set_by_the_server() {
        let old = Token::new("t").with_login_scope(&"a b".into());
        let stored = serde_json::to_value(&old).expect("JSON");
        assert_eq!(stored["login_scope"], "a b");
        let renewed = Token::new("u").inheriting(&token(&stored));
        assert_eq!(renewed.scope_of_next_login(&"b".into()), None);
        assert!(renewed.scope_of_next_login(&"c".into()).is_some());
        assert_eq!(
            Token::new("t").with_login_scope(&"".into()),
            Token::new("t")
        );
        let serde_json::Value::Object(members) = stored else {
            panic!("{stored}");
        };
        let answered = Token::from_answer(members, std::time::Duration::ZERO).expect("a token");
        assert_eq!(answered.get(MEMBER), None);
    }
}

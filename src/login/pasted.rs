//! Answers to an authorization request: from the browser, and as a user pastes them.

use crate::{
    oauth2::authorization::pending::PendingAuthorization, secret::Secret, wire::callback::trimmed,
};

/// Text that was pasted at the prompt, by its meaning.
#[derive(Debug, PartialEq)]
pub(crate) enum Pasted {
    Nothing,
    /// An answer, to be checked like any other.
    Callback(Secret),
    /// Not an answer to this request, and why.
    Refused(&'static str),
}

const WRAPPED: &str =
    "there is white space inside, probably of a wrapped line; copy it again as one line";
const OTHER: &str = "it does not belong to this login; the page may be an old one";
const WHOLE: &str = "a code alone is not enough for this server; paste the whole address";

/// Parameters by which a pasted address is told from a code.
const PARAMETERS: [&str; 4] = ["code=", "state=", "error=", "response="];

impl PendingAuthorization {
    /// Reads what the user has pasted: the address of the last page, a code, or `code#state` as
    /// pages that only show a code have it.
    pub(crate) fn read_pasted(&self, text: &str) -> Pasted {
        let Ok(text) = trimmed(text) else {
            return Pasted::Refused("it is too long");
        };
        if text.is_empty() {
            return Pasted::Nothing;
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Pasted::Refused(WRAPPED);
        }
        let is_address = text.contains("://") || PARAMETERS.iter().any(|name| text.contains(name));
        if is_address {
            return match self.is_answered_by(text) {
                true => Pasted::Callback(text.into()),
                false => Pasted::Refused(OTHER),
            };
        }
        // Only PKCE binds a code without its `state` to this login; and where the server names
        // itself in the address or signs it, the address has to be there.
        if self.code_verifier.is_none() || self.iss_required || self.is_signed {
            return Pasted::Refused(WHOLE);
        }
        let (code, state) = match text.split_once('#') {
            Some((code, state)) => (code, Some(Secret::from(state))),
            None => (text, None),
        };
        if state.is_some_and(|state| state != self.state) {
            return Pasted::Refused(OTHER);
        }
        if code.is_empty() {
            return Pasted::Refused(WHOLE);
        }
        let mut callback = url::form_urlencoded::Serializer::new("?".to_owned());
        callback.append_pair("code", code);
        callback.append_pair("state", self.state.expose_secret());
        Pasted::Callback(callback.finish().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::{
        AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration, Pkce,
    };
    use crate::{
        jose::{Algorithm, Claims, SigningKey},
        oauth2::ResponseMode,
        wire::callback::CallbackParameters,
    };

    const STATE: &str = "SSSSSSSSSSSSSSSSSSSSSS";

    fn pending(names_itself: bool, pkce: Pkce) -> PendingAuthorization {
        let server = AuthorizationServer::new("https://id.example")
            .with_authorization_endpoint("https://id.example/authorize")
            .with_authorization_response_iss_parameter_supported(names_itself);
        let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id"));
        let request = AuthorizationRequest::new().state(STATE).pkce(pkce);
        let url = endpoint.expect("a URL").request(request);
        url.expect("a request").pending
    }

    fn pasted(text: &str) -> Pasted {
        let text = text.replace("STATE", STATE);
        pending(false, Pkce::S256).read_pasted(&text)
    }

    /// The code that is sent in the end.
    fn code(pasted: Pasted) -> String {
        let Pasted::Callback(callback) = pasted else {
            panic!("{pasted:?}");
        };
        assert!(pending(false, Pkce::S256).is_answered_by(callback.expose_secret()));
        let mut parameters = CallbackParameters::in_query(callback.expose_secret()).expect("one");
        let code = parameters.take("code").expect("text").expect("a code");
        code.expose_secret().to_owned()
    }

    #[test]
    fn an_address_a_query_or_a_code() {
        for text in [
            "http://127.0.0.1:7/cb?code=c0de&state=STATE",
            " \"http://127.0.0.1:7/cb?code=c0de&state=STATE\"\r\n",
            "127.0.0.1:7/cb?code=c0de&state=STATE",
            "?code=c0de&state=STATE",
            "code=c0de&state=STATE#_=_",
            "c0de",
            "c0de\n",
            "c0de#STATE",
        ] {
            assert_eq!(code(pasted(text)), "c0de", "{text}");
        }
        for plain in ["4/0AbC-d_e~f.g", "a+b/c==", "%41&x"] {
            assert_eq!(code(pasted(plain)), plain);
            assert_eq!(code(pasted(&format!("{plain}#STATE"))), plain);
        }
        // Refused by the server, which `complete_authorization` says in its words.
        let refused = pasted("http://127.0.0.1/cb?error=access_denied&state=STATE");
        assert!(matches!(refused, Pasted::Callback(_)));
        for empty in ["", " ", "\r\n", "\"\""] {
            assert_eq!(pasted(empty), Pasted::Nothing);
        }
    }

    #[test]
    fn what_is_of_another_login_is_refused() {
        for text in [
            "http://127.0.0.1:7/cb?code=c0de&state=OTHER",
            "http://127.0.0.1:7/cb?code=c0de",
            "http://127.0.0.1:7/cb",
            "?code=c&state=STATE&state=STATE",
            "c0de#OTHER",
            "c0de#",
            "c0de#STATE#STATE",
        ] {
            assert_eq!(pasted(text), Pasted::Refused(OTHER), "{text}");
        }
        assert_eq!(pasted("#STATE"), Pasted::Refused(WHOLE));
    }

    #[test]
    fn nothing_of_a_wrapped_line_is_repaired() {
        for text in [
            "https://a/cb?code=c0 de&state=STATE",
            "https://a/cb?code=c0\nde&state=STATE",
            "c0 de",
            "c0\tde#STATE",
            "c0\u{a0}de",
            "c0\u{1b}[31mde",
        ] {
            assert_eq!(pasted(text), Pasted::Refused(WRAPPED), "{text:?}");
        }
    }

    #[test]
    fn a_signed_response_answers_by_the_state_in_it_and_a_code_alone_does_not() {
        let server = AuthorizationServer::new("https://id.example")
            .with_authorization_endpoint("https://id.example/authorize");
        let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id"));
        let request = AuthorizationRequest::new()
            .state(STATE)
            .response_mode(ResponseMode::Jwt);
        let pending = endpoint.expect("a URL").request(request);
        let pending = pending.expect("a request").pending;
        let signed = |state: &str| {
            let key = SigningKey::hmac(Algorithm::HS256, [7; 32]).expect("a key");
            let claims = Claims::new().with("state", state).with("code", "c0de");
            let jwt = claims.sign(&key).expect("a JWT");
            format!("http://127.0.0.1:7/cb?response={}", jwt.expose_secret())
        };
        assert!(matches!(
            pending.read_pasted(&signed(STATE)),
            Pasted::Callback(_)
        ));
        let other = signed("OTHEROTHEROTHEROTHEROTHER");
        assert_eq!(pending.read_pasted(&other), Pasted::Refused(OTHER));
        for text in ["http://127.0.0.1:7/cb?response=a.b.c", "?response="] {
            assert_eq!(pending.read_pasted(text), Pasted::Refused(OTHER), "{text}");
        }
        assert_eq!(pending.read_pasted("c0de"), Pasted::Refused(WHOLE));
    }

    #[test]
    fn a_code_alone_needs_pkce_and_a_server_that_does_not_name_itself() {
        for text in ["c0de", &format!("c0de#{STATE}")] {
            for pending in [pending(true, Pkce::S256), pending(false, Pkce::Off)] {
                assert_eq!(pending.read_pasted(text), Pasted::Refused(WHOLE), "{text}");
            }
        }
        let address = format!("?code=c&state={STATE}&iss=https%3A%2F%2Fid.example");
        let named = pending(true, Pkce::S256).read_pasted(&address);
        assert!(matches!(named, Pasted::Callback(_)));
    }
}

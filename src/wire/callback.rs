//! Parameters of the callback, by which the authorization server redirects the user back.
//!
//! [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2),
//! [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    secret::Secret,
    wire::form::parameters,
};

/// Maximum length of a callback, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// Maximum length of a parameter's name in an error, in bytes.
const MAX_NAME_LENGTH: usize = 40;

/// Parameters of a callback, each with a distinct name.
///
/// A value is `None` if it is not percent-encoded UTF-8.
pub(crate) struct CallbackParameters(BTreeMap<String, Option<Secret>>);

impl CallbackParameters {
    /// Reads the query of a callback: a URL of any scheme, a part of one, or a form body.
    pub(crate) fn in_query(callback: &str) -> Result<Self> {
        let callback = trimmed(callback)?;
        // Facebook appends `#_=_`. A fragment is no part of a query in any case.
        let callback = callback.split('#').next().unwrap_or_default();
        let is_url = callback.starts_with('/') || has_scheme(callback);
        Self::parse(match callback.split_once('?') {
            // A value may contain a question mark, a name does not.
            Some((start, query)) if is_url || !start.contains('=') => query,
            None if is_url => "",
            _ => callback,
        })
    }

    /// Reads the fragment of a callback.
    ///
    /// [RFC 6749 section 4.2.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2.2)
    pub(crate) fn in_fragment(callback: &str) -> Result<Self> {
        match trimmed(callback)?.split('#').nth(1) {
            Some(fragment) => Self::parse(fragment),
            None => Err(Error::callback("the callback has no fragment")),
        }
    }

    fn parse(encoded: &str) -> Result<Self> {
        let mut found = BTreeMap::new();
        for (name, value) in parameters(encoded.as_bytes()) {
            let value = value.map(Secret::new);
            // "Request and response parameters MUST NOT be included more than once."
            if found.insert(name.clone(), value).is_some() {
                return Err(Error::callback(match is_plain(&name) {
                    true => format!("the callback repeats the parameter `{name}`"),
                    false => "the callback repeats a parameter".to_owned(),
                }));
            }
        }
        // "Parameters sent without a value MUST be treated as if they were omitted from the
        // response."
        found.retain(|_, value| value.as_ref().is_none_or(|value| !value.is_empty()));
        Ok(Self(found))
    }

    /// Removes the parameter `name` and returns its value, if there is one.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<Secret>> {
        match self.0.remove(name) {
            Some(None) => Err(Error::callback(format!(
                "the parameter `{name}` of the callback is not percent-encoded UTF-8"
            ))),
            value => Ok(value.flatten()),
        }
    }

    /// Whether there is the parameter `name`, readable or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of the parameter `name`, if it is readable.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_ref().map(Secret::expose_secret)
    }

    /// Removes the parameter `name` and returns its value, if it is readable. For values that are
    /// only displayed.
    pub(crate) fn take_text(&mut self, name: &str) -> Option<String> {
        let value = self.0.remove(name)??;
        Some(value.expose_secret().to_owned())
    }

    /// The end of an error about a callback that is not proved to belong to this login: the error
    /// code in the parameter `name`, if it is a `registered` one. Other text may be an attacker's,
    /// and is not displayed.
    pub(crate) fn unverified_error(&mut self, name: &str, registered: &[&str]) -> String {
        let code = self.take_text(name).unwrap_or_default();
        match registered.contains(&&*code) {
            true => format!("; it claims the error `{code}`, which is not verified"),
            false => String::new(),
        }
    }

    /// Parameters of a message that was verified; those that are neither text nor a number are
    /// unreadable.
    pub(crate) fn verified<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> Self {
        let parameter = |(name, value): (&str, &Value)| {
            let value = match value {
                Value::String(text) => Some(text.as_str().into()),
                Value::Number(number) => Some(number.to_string().into()),
                _ => None,
            };
            (name.to_owned(), value)
        };
        let mut parameters: BTreeMap<_, _> = members.map(parameter).collect();
        parameters.retain(|_, value: &mut Option<Secret>| {
            value.as_ref().is_none_or(|value| !value.is_empty())
        });
        Self(parameters)
    }

    /// The remaining parameters, as far as they are readable.
    pub(crate) fn into_members(self) -> Map<String, Value> {
        let readable = |(name, value): (String, Option<Secret>)| {
            Some((name, Value::from(value?.expose_secret())))
        };
        self.0.into_iter().filter_map(readable).collect()
    }
}

/// The callback without ASCII white space, a byte order mark and one pair of matching quotes around
/// it, which pasted text and files may have.
pub(crate) fn trimmed(callback: &str) -> Result<&str> {
    if callback.len() > MAX_LENGTH {
        return Err(Error::callback("the callback is longer than 64 KiB"));
    }
    let callback = without_mark(callback);
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| callback.strip_prefix(quote)?.strip_suffix(quote));
    Ok(unquoted.map_or(callback, without_mark))
}

fn without_mark(text: &str) -> &str {
    let text = text.trim_ascii();
    text.strip_prefix('\u{feff}').map_or(text, str::trim_ascii)
}

/// Whether it begins with a scheme and a path: `https://…`, or with a private-use scheme
/// `com.example.app:/…`.
///
/// [RFC 8252 section 7.1](https://www.rfc-editor.org/rfc/rfc8252#section-7.1)
fn has_scheme(callback: &str) -> bool {
    callback.split_once(":/").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Whether an untrusted name can be displayed in an error.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    name.len() <= MAX_NAME_LENGTH && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code_and_state(callback: &str) -> [Option<String>; 2] {
        let mut parameters = CallbackParameters::in_query(callback).expect(callback);
        ["code", "state"].map(|name| {
            let value = parameters.take(name).expect(callback)?;
            Some(value.expose_secret().to_owned())
        })
    }

    #[test]
    fn a_url_of_any_scheme_a_part_of_one_or_a_body() {
        for callback in [
            "https://app.example/cb?code=c&state=S",
            "https://app.example/cb?code=c&state=S#_=_",
            "https://app.example/cb;a=1?x=%ZZ&code=c&state=S",
            "com.example.app:/oauth2redirect/example-provider?code=c&state=S",
            "com.example.app:/cb?code=c&state=S#_=_",
            "com.example.app://cb?code=c&state=S",
            "com.example.app:///cb?code=c&state=S",
            "com.example.app:cb?code=c&state=S",
            "urn:ietf:wg:oauth:2.0:oob?code=c&state=S",
            "localhost:8080/cb?code=c&state=S",
            "127.0.0.1:8080/cb?code=c&state=S",
            "app.example/cb?code=c&state=S",
            "/cb?code=c&state=S",
            "/?code=c&state=S",
            "?code=c&state=S",
            "?&&code=c&&state=S&",
            "code=c&state=S",
            "code=c&state=S&more=a?b:/c",
            "more=https://a.example/?code=d&code=c&state=S",
        ] {
            let expected = ["c", "S"].map(|text| Some(text.to_owned()));
            assert_eq!(code_and_state(callback), expected, "{callback}");
        }
        for callback in [
            "",
            "#code=c&state=S",
            "https://app.example/code=c&state=S",
            "com.example.app:/code=c&state=S",
            "/code=c&state=S",
            "?code=&state",
            "not a callback",
        ] {
            assert_eq!(code_and_state(callback), [None, None], "{callback}");
        }
    }

    #[test]
    fn text_around_a_callback_is_trimmed_and_values_are_not() {
        for (before, after) in [
            ("", "\n"),
            ("\r\n \t", "\r\n"),
            ("\u{feff}", ""),
            (" \u{feff} ", " "),
            ("\"", "\""),
            ("'", "'\n"),
            (" \" ", " \" \n"),
            ("\u{feff}\"\u{feff}", "\""),
        ] {
            for callback in ["https://a/cb?code=%20c%0A+&state=S", "?state=S&code=+c%0A+"] {
                let callback = format!("{before}{callback}{after}");
                let expected = [" c\n ", "S"].map(|text| Some(text.to_owned()));
                assert_eq!(code_and_state(&callback), expected, "{callback:?}");
            }
        }
        // One pair, and only where it is one.
        for (callback, state) in [
            ("\"\"?state=S\"\"", "S\""),
            ("?state=S\"", "S\""),
            ("\"?state=S'", "S'"),
            ("?state='S'", "'S'"),
            ("?state=\u{a0}S\u{a0}", "\u{a0}S\u{a0}"),
            ("?state=S%20", "S "),
            ("?state=\u{feff}S", "\u{feff}S"),
        ] {
            assert_eq!(
                code_and_state(callback)[1].as_deref(),
                Some(state),
                "{callback}"
            );
        }
        for callback in ["\"", "'", "\"\"", " ' ' ", "\u{feff}"] {
            assert_eq!(code_and_state(callback), [None, None], "{callback}");
        }
    }

    #[test]
    fn a_duplicate_parameter_is_named_if_its_name_is_plain() {
        let long = "a".repeat(MAX_NAME_LENGTH + 1);
        for (callback, problem) in [
            (
                "?code=c&code=d",
                "the callback repeats the parameter `code`",
            ),
            (
                "?code=c&code=c",
                "the callback repeats the parameter `code`",
            ),
            ("?code=c&code=", "the callback repeats the parameter `code`"),
            (
                "?code=c&co%64e=d",
                "the callback repeats the parameter `code`",
            ),
            (
                "?code=c&code=%ZZ",
                "the callback repeats the parameter `code`",
            ),
            (
                "x.y-z_1=&x.y-z_1",
                "the callback repeats the parameter `x.y-z_1`",
            ),
            ("?call%20me=1&call+me=2", "the callback repeats a parameter"),
            (
                "?%E2%80%AEa=1&%E2%80%AEa=2",
                "the callback repeats a parameter",
            ),
            (
                &format!("?{long}=1&{long}=2"),
                "the callback repeats a parameter",
            ),
        ] {
            let error = CallbackParameters::in_query(callback)
                .err()
                .expect(callback);
            assert_eq!(error.to_string(), problem, "{callback}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error_where_it_counts() {
        for value in ["%FF", "%ZZ", "%", "a%2", "%C3"] {
            let callback = format!("?code={value}&error_description={value}&state=S");
            let mut parameters = CallbackParameters::in_query(&callback).expect(value);
            assert_eq!(
                parameters.take("code").expect_err(value).to_string(),
                "the parameter `code` of the callback is not percent-encoded UTF-8"
            );
            assert_eq!(parameters.take_text("error_description"), None);
            assert_eq!(parameters.into_members().len(), 1);
        }
    }

    #[test]
    fn only_a_registered_code_is_shown_unverified() {
        let claimed = "; it claims the error `access_denied`, which is not verified";
        for (callback, text) in [
            ("?error=access_denied&error_description=call+0900", claimed),
            ("?error=call+0900", ""),
            ("?error=ACCESS_DENIED", ""),
            ("?error=access_denied%0A", ""),
            ("?error=%FF", ""),
            ("?error=", ""),
            ("?", ""),
        ] {
            let mut parameters = CallbackParameters::in_query(callback).expect(callback);
            let error = parameters.unverified_error("error", &["access_denied"]);
            assert_eq!(error, text, "{callback}");
        }
    }

    #[test]
    fn fragments() {
        for callback in [
            "https://a/cb#code=c",
            "https://a/cb?code=d#code=c",
            "#code=c#_=_",
            " \"com.example.app:/cb#code=c\"\n",
        ] {
            let mut parameters = CallbackParameters::in_fragment(callback).expect(callback);
            assert_eq!(parameters.take("code").expect(callback), Some("c".into()));
        }
        for callback in ["", "https://a/cb?code=c", "code=c"] {
            assert!(
                CallbackParameters::in_fragment(callback).is_err(),
                "{callback}"
            );
        }
        assert!(CallbackParameters::in_fragment("#code=c&code=d").is_err());
    }

    #[test]
    fn a_long_callback_is_not_read() {
        let fits = format!("?{}", "a".repeat(MAX_LENGTH - 1));
        assert!(CallbackParameters::in_query(&fits).is_ok());
        for long in [format!("{fits}a"), " ".repeat(MAX_LENGTH + 1)] {
            for read in [
                CallbackParameters::in_query,
                CallbackParameters::in_fragment,
            ] {
                let error = read(&long).err().expect("an error");
                assert_eq!(error.to_string(), "the callback is longer than 64 KiB");
            }
        }
    }

    proptest! {
        #[test]
        fn any_callback_is_read_without_a_panic(callback: String) {
            let _ = CallbackParameters::in_query(&callback);
            let _ = CallbackParameters::in_fragment(&callback);
        }

        #[test]
        fn any_value_survives(code: String, state in ".+") {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("code", &code).append_pair("state", &state);
            let query = query.finish();
            let code = Some(code).filter(|code| !code.is_empty());
            for start in ["", "?", "https://a.example/cb?", "com.example.app:/cb?", "\r\n /?"] {
                let read = code_and_state(&format!("{start}{query}\n"));
                prop_assert_eq!(read, [code.clone(), Some(state.clone())]);
            }
        }
    }
}

//! Form-encoded parameters of a request to an endpoint.
//!
//! [RFC 6749 appendix B](https://www.rfc-editor.org/rfc/rfc6749#appendix-B)

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::{encoding::percent_decode, secret::Secret};

/// Form parameters in the order in which they are sent. A name may occur more than once.
///
/// All values are [`Secret`]s, as any of them may be one.
///
/// ```
/// use oauth_twin::oauth2::Form;
///
/// let mut form = Form::new();
/// form.push("resource", "https://a.example");
/// form.push("resource", "https://b.example");
/// form.set("audience", "c & d");
/// assert_eq!(
///     form.encode().expose_secret(),
///     "resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example&audience=c+%26+d",
/// );
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(Cow<'static, str>, Secret)>);

impl Form {
    pub(crate) const NONE: Self = Self(Vec::new());

    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter, in addition to any of the same name.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) {
        self.0.push((name.into(), value.into()));
    }

    /// Sets a parameter, which replaces all of the same name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) {
        let name = name.into();
        self.remove(&name);
        self.push(name, value);
    }

    /// Removes all parameters of this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(given, _)| given != name);
    }

    /// The value of the first parameter of this name.
    pub fn value(&self, name: &str) -> Option<&Secret> {
        self.iter()
            .find_map(|(given, value)| (given == name).then_some(value))
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Adds all parameters of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the output of [`encode`](Self::encode).
    pub(crate) fn decode(encoded: &str) -> Self {
        let mut form = Self::new();
        for (name, value) in url::form_urlencoded::parse(encoded.as_bytes()) {
            form.push(name.into_owned(), &*value);
        }
        form
    }

    /// The parameters as `application/x-www-form-urlencoded`.
    pub fn encode(&self) -> Secret {
        let pairs = self.iter();
        let mut parts = pairs.flat_map(|(name, value)| [name, value.expose_secret()]);
        let is_plain = parts.all(is_plain);
        let len = |part: &str| match is_plain {
            true => part.len(),
            false => encoded_len(part),
        };
        let pairs = self.iter();
        // Each with what separates it from the next one.
        let lengths = pairs.map(|(name, value)| len(name) + len(value.expose_secret()) + 2);
        let length: usize = lengths.sum();
        // Of this size from the start, so that no part of it is left where it was moved from. There is
        // no separator before the first parameter.
        let mut text = String::with_capacity(length.saturating_sub(1));
        for (name, value) in self.iter() {
            if !text.is_empty() {
                text.push('&');
            }
            append(name, is_plain, &mut text);
            text.push('=');
            append(value.expose_secret(), is_plain, &mut text);
        }
        Secret::new(text)
    }

    /// The parameters as a JSON object of strings, and of lists for names that are repeated.
    pub(crate) fn to_json(&self) -> Secret {
        let mut json = Zeroizing::new(Vec::with_capacity(512));
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.iter() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut serializer = serde_json::Serializer::new(&mut *json);
        let members = names.into_iter().map(|name| {
            let values = self.iter().filter(|(given, _)| *given == name);
            let values: Vec<_> = values.map(|(_, value)| value.expose_secret()).collect();
            (name, OneOrMore(values))
        });
        // An object of strings always serialises.
        let _ = serializer.collect_map(members);
        Secret::new(String::from_utf8_lossy(&json).into_owned())
    }
}

/// The characters that stay as they are.
///
/// [URL, application/x-www-form-urlencoded percent-encode set](https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set)
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        plain[byte] =
            character.is_ascii_alphanumeric() || matches!(character, b'*' | b'-' | b'.' | b'_');
        byte += 1;
    }
    plain
};

/// The lengths of all characters in their encoded form.
const ENCODED_LEN: [u8; 256] = {
    let mut lengths = [3; 256];
    let mut byte = 0;
    while byte < 256 {
        if PLAIN[byte] || byte == b' ' as usize {
            lengths[byte] = 1;
        }
        byte += 1;
    }
    lengths
};

/// Whether all characters stay as they are.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| PLAIN[usize::from(byte)])
}

fn encoded_len(text: &str) -> usize {
    let lengths = text.bytes().map(|byte| ENCODED_LEN[usize::from(byte)]);
    lengths.map(usize::from).sum()
}

/// Appends `text` in its encoded form, which is the same if all of its characters are known to be plain.
fn append(text: &str, is_known_plain: bool, to: &mut String) {
    match is_known_plain || is_plain(text) {
        true => to.push_str(text),
        false => to.extend(byte_serialize(text.as_bytes())),
    }
}

/// A string, or a list of several.
struct OneOrMore<'a>(Vec<&'a str>);

impl Serialize for OneOrMore<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            [one] => one.serialize(serializer),
            more => more.serialize(serializer),
        }
    }
}

/// Shows the names only.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The names and values of an encoded form, in order. A value is `None` if it is not
/// percent-encoded UTF-8, as a replacement character would turn a credential into another one. A
/// parameter with such a name is skipped.
pub(crate) fn parameters(form: &[u8]) -> impl Iterator<Item = (String, Option<String>)> {
    let decode = |text: &[u8]| {
        let spaced: Vec<u8> = text
            .iter()
            .map(|b| if *b == b'+' { b' ' } else { *b })
            .collect();
        percent_decode(&spaced)
    };
    let pairs = form
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = pair.split_at(equals.unwrap_or(pair.len()));
        Some((
            decode(name)?,
            decode(value.strip_prefix(b"=").unwrap_or(value)),
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Form, parameters};

    #[test]
    fn what_cannot_be_decoded_has_no_value() {
        let read: Vec<_> = parameters(b"a=1+%2B&b=%ZZ&&c=%FF&d&%FF=1&=2&e=\xff&f=x=y").collect();
        let value = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                ("a", value("1 +")),
                ("b", None),
                ("c", None),
                ("d", value("")),
                ("", value("2")),
                ("e", None),
                ("f", value("x=y")),
            ]
            .map(|(name, value)| (name.to_owned(), value))
        );
    }

    #[test]
    fn debug_tells_no_value() {
        let mut form = Form::new();
        form.push("password", "hunter2");
        assert_eq!(format!("{form:?}"), r#"{"password": [redacted]}"#);
    }

    #[test]
    fn set_takes_the_place_of_all() {
        let mut form = Form::new();
        form.push("a", "1");
        form.push("b", "2");
        form.push("a", "3");
        form.set("a", "4");
        assert_eq!(form.encode().expose_secret(), "b=2&a=4");
        assert_eq!(form.value("c"), None);
    }

    proptest! {
        #[test]
        fn a_decoder_reads_the_same_pairs(pairs: Vec<(String, String)>) {
            let mut form = Form::new();
            for (name, value) in &pairs {
                form.push(name.clone(), value.as_str());
            }
            let encoded = form.encode();
            // Of its size from the start.
            let capacity = form.encode().expose_secret_owned().capacity();
            prop_assert_eq!(capacity, encoded.expose_secret().len());
            let decoded: Vec<_> = url::form_urlencoded::parse(encoded.expose_secret().as_bytes())
                .into_owned()
                .collect();
            let strict: Vec<_> = parameters(encoded.expose_secret().as_bytes()).collect();
            let some = |(name, value): &(String, String)| (name.clone(), Some(value.clone()));
            prop_assert_eq!(strict, decoded.iter().map(some).collect::<Vec<_>>());
            prop_assert_eq!(decoded, pairs);
            prop_assert!(Form::decode(encoded.expose_secret()) == form);
        }

        #[test]
        fn what_is_decoded_is_decoded_as_any_decoder_does(form: Vec<u8>) {
            let lenient: Vec<_> = url::form_urlencoded::parse(&form).into_owned().collect();
            for (name, value) in parameters(&form) {
                if let Some(value) = value {
                    prop_assert!(lenient.contains(&(name, value)));
                }
            }
        }
    }
}

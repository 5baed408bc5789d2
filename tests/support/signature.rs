//! Verifies an OAuth 1.0 signature after RFC 5849 section 3.2, as simply as can be, from what is
//! sent alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;

/// Contents of a signed request.
#[derive(Debug)]
pub struct Found {
    /// Whether the HMAC-SHA1 signature is that of the two secrets.
    pub verified: bool,
    /// The parameters of the protocol but for the signature.
    pub own: Vec<(String, String)>,
    /// All others, of query and form.
    pub parameters: Vec<(String, String)>,
}

impl Found {
    /// The value of a parameter of the protocol, which stands once if at all.
    #[allow(dead_code, reason = "not every test program asks")]
    pub fn own(&self, name: &str) -> Option<&str> {
        let mut found = self.own.iter().filter(|(given, _)| given == name);
        let value = found.next().map(|(_, value)| &**value);
        assert!(found.next().is_none(), "{name} stands more than once");
        value
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn parse(form: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect()
}

/// Verifies a request; none if it has no signature.
pub fn verify(
    method: &str,
    url: &str,
    authorization: Option<&str>,
    form: &str,
    secrets: [&str; 2],
) -> Option<Found> {
    let url = url::Url::parse(url).expect("a URL");
    let mut parameters = parse(url.query().unwrap_or_default());
    parameters.extend(parse(form));
    for parameter in authorization
        .into_iter()
        .filter_map(|header| header.strip_prefix("OAuth "))
        .flat_map(|header| header.split(", "))
    {
        let (name, value) = parameter.split_once('=').expect("a parameter");
        if name != "realm" {
            parameters.extend(parse(&format!("{name}={}", value.trim_matches('"'))));
        }
    }
    let signature = parameters
        .iter()
        .position(|(name, _)| name == "oauth_signature")?;
    let (_, signature) = parameters.remove(signature);
    let mut pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut uri = url.clone();
    uri.set_query(None);
    uri.set_fragment(None);
    let base_string = [method, uri.as_str(), &pairs.join("&")]
        .map(encode)
        .join("&");
    let key = secrets.map(encode).join("&");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let tag = STANDARD.decode(signature).unwrap_or_default();
    let verified = hmac::verify(&key, base_string.as_bytes(), &tag).is_ok();
    let (own, parameters) = parameters
        .into_iter()
        .partition(|(name, _)| name.starts_with("oauth_"));
    Some(Found {
        verified,
        own,
        parameters,
    })
}

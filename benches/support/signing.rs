//! The two requests that are signed, and the least that signing one takes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{
    Result,
    http::{
        Method,
        header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    },
    oauth1::{SignedRequest, Signer},
};
use ring::hmac;
use std::{
    cell::Cell,
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

pub const FORM: [(&str, &str); 10] = [
    (
        "status",
        "Hello Ladies + Gentlemen, a signed OAuth request!",
    ),
    ("include_entities", "true"),
    ("lat", "37.7821120598956"),
    ("long", "-122.400612831116"),
    ("place_id", "df51dec6f4ee2b2c"),
    ("display_coordinates", "false"),
    ("trim_user", "true"),
    ("media_ids", "710511363345354753"),
    ("possibly_sensitive", "false"),
    ("in_reply_to", "1050118621198921700"),
];
pub const QUERY: [(&str, &str); 2] = [("file", "vacation.jpg"), ("size", "original")];
pub const POST_URL: &str = "https://api.example.com/1.1/statuses/update.json";
pub const GET_URL: &str = "https://photos.example.net/photos";

pub const KEY: &str = "xvz1evFS4wEEPTGEFPHBog";
pub const TOKEN: &str = "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb";
pub const SECRETS: [&str; 2] = [
    "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
    "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
];

/// A request as both sign it.
pub struct Case {
    pub method: Method,
    pub base: &'static str,
    pub pairs: &'static [(&'static str, &'static str)],
    pub url: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Case {
    pub fn post() -> Self {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            method: Method::POST,
            base: POST_URL,
            pairs: &FORM,
            url: POST_URL.to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
            body: encoded(&FORM),
        }
    }

    pub fn get() -> Self {
        Self {
            method: Method::GET,
            base: GET_URL,
            pairs: &QUERY,
            url: format!("{GET_URL}?{}", encoded(&QUERY)),
            headers: HeaderMap::new(),
            body: String::new(),
        }
    }

    pub fn sign(&self, signer: &Signer) -> Result<SignedRequest<'_>> {
        signer.sign(&self.method, &self.url, &self.headers, &self.body)
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

pub fn signer() -> Signer {
    let [client_secret, token_secret] = SECRETS;
    Signer::new(KEY)
        .client_secret(client_secret)
        .token(TOKEN, token_secret)
}

pub fn key() -> hmac::Key {
    let key = SECRETS.join("&");
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes())
}

/// Signs by hand: what is known beforehand is not computed, what cannot be wrong here is not
/// checked, and the parameters come decoded.
pub fn by_hand(case: &Case, key: &hmac::Key) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let (mut timestamp, nonce) = (String::with_capacity(10), nonce());
    let _ = write!(timestamp, "{}", now.unwrap_or_default().as_secs());
    let own = [
        ("oauth_consumer_key", KEY),
        ("oauth_nonce", &nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &timestamp),
        ("oauth_token", TOKEN),
        ("oauth_version", "1.0"),
    ];
    let mut all = [("", ""); 16];
    let count = case.pairs.len() + own.len();
    all[..case.pairs.len()].copy_from_slice(case.pairs);
    all[case.pairs.len()..count].copy_from_slice(&own);
    all[..count].sort_unstable();
    let mut text = String::with_capacity(1200);
    text.push_str(case.method.as_str());
    text.push('&');
    encode(case.base, &mut text);
    text.push('&');
    for (n, (name, value)) in all[..count].iter().enumerate() {
        if n > 0 {
            text.push_str("%26");
        }
        encode(name, &mut text);
        text.push_str("%3D");
        // Encoded twice.
        for byte in value.bytes() {
            match is_plain(byte) {
                true => text.push(char::from(byte)),
                false => {
                    text.push_str("%25");
                    hex(byte, &mut text);
                }
            }
        }
    }
    let tag = hmac::sign(key, text.as_bytes());
    let mut signature = [0; 28];
    let _ = STANDARD.encode_slice(tag.as_ref(), &mut signature);
    let mut header = String::with_capacity(400);
    header.push_str("OAuth ");
    for (name, value) in own {
        header.push_str(name);
        header.push_str("=\"");
        encode(value, &mut header);
        header.push_str("\", ");
    }
    header.push_str("oauth_signature=\"");
    encode(
        std::str::from_utf8(&signature).unwrap_or_default(),
        &mut header,
    );
    header.push('"');
    header
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn hex(byte: u8, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    to.push(char::from(DIGITS[usize::from(byte >> 4)]));
    to.push(char::from(DIGITS[usize::from(byte & 15)]));
}

fn encode(text: &str, to: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        to.push_str(&rest[..at]);
        to.push('%');
        hex(rest.as_bytes()[at], to);
        rest = &rest[at + 1..];
    }
    to.push_str(rest);
}

/// Not random enough to be used, and so as quick as can be.
fn nonce() -> String {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0x9E37_79B9_7F4A_7C15) };
    }
    let mut nonce = String::with_capacity(22);
    for _ in 0..2 {
        let mut state = STATE.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        STATE.set(state);
        for shift in 0..11 {
            let digit = (state >> (shift * 5)) & 31;
            nonce.push(char::from(b'A' + (digit % 26) as u8));
        }
    }
    nonce
}

//! Protocol parameters in their two forms: as sent in the request, and as signed.
//!
//! [RFC 5849 section 3.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.1)

use std::ops::Range;

use crate::{
    encoding::{percent_encode, unreserved},
    oauth1::{SignatureType, Signer},
    secret::Secret,
};

/// Protocol parameters that are the same in every request of a signer, encoded once. The parameters
/// of a single request are inserted between the three parts of each form.
#[derive(Clone)]
pub(super) struct ProtocolParameters {
    /// Start of the header.
    pub(super) realm: String,
    /// As sent: nonce, timestamp and signature come last.
    sent: [Secret; 3],
    /// As signed: in sorted order, with nonce and timestamp in between.
    signed: [Secret; 3],
    separators: Separators,
}

/// Protocol parameters of a single request, percent-encoded: the positions of nonce and timestamp
/// in its text, and the body hash.
pub(super) struct RequestParameters {
    pub(super) nonce: Range<usize>,
    pub(super) timestamp: Range<usize>,
    pub(super) body_hash: Option<String>,
}

/// Separators: between a name and its value, after a value, and after the last one.
#[derive(Clone, Copy)]
struct Separators {
    equals: &'static str,
    next: &'static str,
    end: &'static str,
}

impl Separators {
    const HEADER: Self = Self::new("=\"", "\", ", "\"");
    const FORM: Self = Self::new("=", "&", "");
    /// A form that is percent-encoded as a whole.
    const SIGNED: Self = Self::new("%3D", "%26", "");

    const fn new(equals: &'static str, next: &'static str, end: &'static str) -> Self {
        Self { equals, next, end }
    }

    fn pair(self, name: &str, value: &str) -> String {
        [name, self.equals, value, self.next].concat()
    }
}

impl ProtocolParameters {
    pub(super) fn new(signer: &Signer) -> Self {
        let separators = match signer.placement {
            SignatureType::Header => Separators::HEADER,
            SignatureType::Query | SignatureType::Body => Separators::FORM,
        };
        let mut sent = String::new();
        let mut signed = [const { String::new() }; 3];
        // In sorted order: before the nonce, up to the timestamp, and after it.
        for (part, name, value) in [
            (0, "oauth_callback", signer.callback.as_deref()),
            (0, "oauth_consumer_key", Some(&*signer.client_key)),
            (1, "oauth_session_handle", exposed(&signer.session_handle)),
            (1, "oauth_signature_method", Some(signer.method.name())),
            (2, "oauth_token", exposed(&signer.token)),
            (2, "oauth_verifier", exposed(&signer.verifier)),
            (2, "oauth_version", signer.version.then_some("1.0")),
        ] {
            if let Some(value) = value.map(percent_encode) {
                sent += &separators.pair(name, &value);
                signed[part] += &Separators::SIGNED.pair(name, &percent_encode(&value));
            }
        }
        let Separators { equals, next, .. } = separators;
        let [first, second, third] = signed;
        Self {
            realm: signer.realm.as_deref().map_or_else(String::new, quoted),
            sent: [
                sent + "oauth_nonce" + equals,
                [next, "oauth_timestamp", equals].concat(),
                [next, "oauth_signature", equals].concat(),
            ]
            .map(Secret::new),
            signed: [
                first + "oauth_nonce%3D",
                "%26".to_owned() + &second + "oauth_timestamp%3D",
                "%26".to_owned() + &third,
            ]
            .map(Secret::new),
            separators,
        }
    }

    /// An upper bound of the length of the signed form, unless the caller has set a long nonce.
    pub(super) fn estimate(&self) -> usize {
        let signed = self.signed.iter().map(|part| part.expose_secret().len());
        signed.sum::<usize>() + 128
    }

    /// Appends the signed form, with `%26` after each parameter.
    pub(super) fn append_signed(&self, request: &RequestParameters, text: &mut Vec<u8>) {
        let [first, second, third] = self.signed.each_ref().map(as_bytes);
        if let Some(hash) = &request.body_hash {
            let pair = Separators::SIGNED.pair("oauth_body_hash", &percent_encode(hash));
            text.extend_from_slice(pair.as_bytes());
        }
        text.extend_from_slice(first);
        append_encoded(text, request.nonce.clone());
        text.extend_from_slice(second);
        text.extend_from_within(request.timestamp.clone());
        text.extend_from_slice(third);
    }

    /// The form that is sent, after `start`. Nonce and timestamp are positions in `text`.
    pub(super) fn to_sent(
        &self,
        start: [&[u8]; 2],
        request: &RequestParameters,
        text: &[u8],
        signature: &[u8],
    ) -> Vec<u8> {
        let body_hash = match &request.body_hash {
            Some(hash) => self.separators.pair("oauth_body_hash", hash),
            None => String::new(),
        };
        let [first, second, third] = self.sent.each_ref().map(as_bytes);
        // Of exactly this capacity, so that the header is not copied.
        [
            start[0],
            start[1],
            body_hash.as_bytes(),
            first,
            &text[request.nonce.clone()],
            second,
            &text[request.timestamp.clone()],
            third,
            signature,
            self.separators.end.as_bytes(),
        ]
        .concat()
    }
}

fn exposed(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref().map(Secret::expose_secret)
}

fn as_bytes(secret: &Secret) -> &[u8] {
    secret.expose_secret().as_bytes()
}

/// `realm="Example", `.
fn quoted(realm: &str) -> String {
    let escaped = realm.replace('\\', r"\\").replace('"', r#"\""#);
    Separators::HEADER.pair("realm", &escaped)
}

/// Appends an encoded text, encoded once more: only `%` has to be escaped.
fn append_encoded(text: &mut Vec<u8>, range: Range<usize>) {
    let mut start = range.start;
    loop {
        let end = start + unreserved(&text[start..range.end]);
        text.extend_from_within(start..end);
        if end == range.end {
            return;
        }
        text.extend_from_slice(b"%25");
        start = end + 1;
    }
}

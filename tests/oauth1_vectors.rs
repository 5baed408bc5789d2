//! Every vector of `vectors/oauth1.json`: base string, signature, and what is sent.

use std::{collections::BTreeSet, fs};

use oauth_twin::{
    http::{
        Method,
        header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    },
    oauth1::{RsaKey, SignatureMethod, SignatureType, SignedRequest, Signer},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    rsa_private_key: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: u32,
    label: String,
    signature_method: String,
    method: String,
    url: String,
    body: Option<String>,
    content_type: Option<String>,
    parameters_in: String,
    client_key: String,
    client_secret: String,
    token: Option<String>,
    token_secret: Option<String>,
    callback: Option<String>,
    verifier: Option<String>,
    realm: Option<String>,
    timestamp: String,
    nonce: String,
    base_string: Option<String>,
    signature: String,
    authorization: Option<String>,
    signed_url: Option<String>,
    signed_body: Option<String>,
}

impl Vector {
    fn signer(&self, key: &RsaKey) -> Signer {
        let method = match self.signature_method.as_str() {
            "HMAC-SHA1" => SignatureMethod::HmacSha1,
            "HMAC-SHA256" => SignatureMethod::HmacSha256,
            "HMAC-SHA512" => SignatureMethod::HmacSha512,
            "RSA-SHA1" => SignatureMethod::RsaSha1(key.clone()),
            "RSA-SHA256" => SignatureMethod::RsaSha256(key.clone()),
            "RSA-SHA512" => SignatureMethod::RsaSha512(key.clone()),
            "PLAINTEXT" => SignatureMethod::Plaintext,
            other => panic!("{other}"),
        };
        let mut signer = Signer::new(&self.client_key)
            .client_secret(self.client_secret.as_str())
            .signature_method(method)
            .signature_type(match self.parameters_in.as_str() {
                "header" => SignatureType::Header,
                "query" => SignatureType::Query,
                "body" => SignatureType::Body,
                other => panic!("{other}"),
            })
            .nonce(&self.nonce)
            .timestamp(self.timestamp.parse().expect("a number"))
            // The vectors of PLAINTEXT go over plain HTTP.
            .dangerous_allow_http();
        if let Some(token) = &self.token {
            signer = signer.token(
                token.as_str(),
                self.token_secret.as_deref().unwrap_or_default(),
            );
        }
        if let Some(callback) = &self.callback {
            signer = signer.callback(callback);
        }
        if let Some(verifier) = &self.verifier {
            signer = signer.verifier(verifier.as_str());
        }
        if let Some(realm) = &self.realm {
            signer = signer.realm(realm);
        }
        signer
    }

    fn check(&self, key: &RsaKey) {
        let about = format!("{} {} {}", self.id, self.label, self.signature_method);
        let signer = self.signer(key);
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let mut headers = HeaderMap::new();
        if let Some(content_type) = &self.content_type {
            let content_type = HeaderValue::try_from(content_type).expect("a header");
            headers.insert(CONTENT_TYPE, content_type);
        }
        let body = self.body.as_deref();
        if let Some(expected) = &self.base_string {
            let base_string = signer.base_string(&method, &self.url, &headers, body);
            assert_eq!(base_string.expect(&about), *expected, "{about}");
        }
        let signed = signer.sign(&method, &self.url, &headers, body);
        if self.signature_method == "RSA-SHA1" && !cfg!(feature = "rsa-sha1") {
            let error = signed.expect_err(&about).to_string();
            assert!(error.contains("the feature rsa-sha1"), "{error}");
            return;
        }
        let signed = signed.expect(&about);
        let parameters = self.sent(&signed);
        let signature = ("oauth_signature".to_owned(), self.signature.clone());
        assert!(parameters.contains(&signature), "{about}: {parameters:?}");
        let expected = match (&self.authorization, &self.signed_url, &self.signed_body) {
            (Some(authorization), _, _) => in_header(authorization),
            (_, Some(url), None) => in_query(url),
            (_, _, Some(body)) => in_form(body),
            _ => return,
        };
        assert_eq!(parameters, expected, "{about}");
    }

    /// The parameters where they should be, of a request that is the same everywhere else.
    fn sent(&self, signed: &SignedRequest<'_>) -> Vec<(String, String)> {
        if self.parameters_in != "query" {
            assert_eq!(signed.url, self.url);
        }
        let header = signed.authorization.as_ref();
        assert_eq!(header.is_some(), self.parameters_in == "header");
        assert_eq!(signed.body.is_some(), self.parameters_in == "body");
        assert_eq!(signed.content_type, None);
        match (&signed.authorization, &signed.body) {
            (Some(header), _) => in_header(header.to_str().expect("ASCII")),
            (None, Some(body)) => {
                let body = std::str::from_utf8(body).expect("ASCII");
                let form = self.body.as_deref().unwrap_or_default();
                assert!(body.starts_with(form), "{body}");
                in_form(body)
            }
            (None, None) => {
                assert!(signed.url.starts_with(&self.url));
                in_query(&signed.url)
            }
        }
    }
}

fn in_form(form: &str) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(form.as_bytes());
    let mut pairs: Vec<_> = pairs.into_owned().collect();
    pairs.sort();
    pairs
}

fn in_query(url: &str) -> Vec<(String, String)> {
    in_form(url.split_once('?').expect("a query").1)
}

fn in_header(header: &str) -> Vec<(String, String)> {
    let parameters = header.strip_prefix("OAuth ").expect("the scheme");
    let mut pairs: Vec<_> = parameters
        .split(", ")
        .map(|parameter| {
            let (name, value) = parameter.split_once("=\"").expect("a quoted value");
            let value = value.strip_suffix('"').expect("a quoted value");
            match name {
                "realm" => (name.to_owned(), value.to_owned()),
                _ => in_form(&format!("{name}={value}")).remove(0),
            }
        })
        .collect();
    pairs.sort();
    pairs
}

/// `raw-path` among them: the URL is signed as it is given, and no parser rewrites it.
#[test]
fn every_vector() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/oauth1.json");
    let text = fs::read_to_string(path).expect("the vectors");
    let Vectors {
        rsa_private_key,
        vectors,
    } = serde_json::from_str(&text).expect("the vectors");
    let key = RsaKey::from_pem(rsa_private_key).expect("a key");
    assert_eq!(vectors.len(), 112);
    let methods: BTreeSet<_> = vectors
        .iter()
        .map(|vector| &vector.signature_method)
        .collect();
    assert_eq!(methods.len(), 7);
    for vector in vectors {
        vector.check(&key);
    }
}

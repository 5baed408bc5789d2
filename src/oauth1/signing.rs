//! Signing: the base string, the signature, and where it goes.
//!
//! [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)

use std::{borrow::Cow, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use ring::hmac;

use super::{
    Body, SignatureMethod, SignatureType, SignedRequest, Signer,
    nonce::nonce,
    parameters::{Pair, Parameters},
    target::{Authority, Target},
};
use crate::{
    encoding::{percent_encode_onto, unreserved},
    error::{Error, Result},
    secret::Secret,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A request on its way to its signature.
struct Unsigned<'a> {
    target: Target<'a>,
    /// The parameters, and behind them the base string.
    parameters: Parameters,
    own: Own,
    /// Where the base string begins.
    base_string: usize,
    /// The form in the body, where there is one.
    form: Option<&'a [u8]>,
    becomes_form: bool,
}

/// The parameters of the protocol but for the signature: where each of them stands in the text,
/// and all of them.
#[derive(Default)]
struct Own {
    pairs: [Pair; 10],
    count: usize,
    range: Range<usize>,
}

impl Own {
    fn add(&mut self, pair: Pair) {
        self.pairs[self.count] = pair;
        self.count += 1;
    }
}

impl Signer {
    /// Signs a request with a new nonce.
    ///
    /// `url` is the URL as it is sent (`url::Url::as_str`, not what was typed). `headers` are those
    /// that are sent beside; of them `Host`, if it is not the host of the URL, and `Content-Type`
    /// are looked at.
    ///
    /// # Errors
    ///
    /// If the URL is not an absolute `http` or `https` URL; if there are parameters of the protocol
    /// in URL, form or headers already, or an `Authorization` header in the place of ours; if a
    /// body is not a form and should hold them, or would have to be signed and is a stream; if
    /// PLAINTEXT would go over plain HTTP to another machine; if the signature method fails.
    ///
    /// [RFC 5849 section 3.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.1)
    pub fn sign<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: impl Into<Body<'a>>,
    ) -> Result<SignedRequest<'a>> {
        let mut unsigned = self.prepare(method, url, headers, body.into())?;
        let signature = unsigned.parameters.text.len();
        self.append_signature(&mut unsigned)?;
        let (parameters, signature) = unsigned.parameters.text.split_at(signature);
        let own = &parameters[unsigned.own.range.clone()];
        let mut signed = SignedRequest {
            url: Cow::Borrowed(url),
            authorization: None,
            body: None,
            content_type: None,
        };
        match self.placement {
            SignatureType::Header => {
                let realm = self.realm.as_deref();
                signed.authorization =
                    Some(authorization(realm, parameters, &unsigned.own, signature)?);
            }
            SignatureType::Query => {
                let parameters = appended(b"", own, signature);
                signed.url = unsigned.target.with_parameters(&parameters).into();
            }
            SignatureType::Body => {
                let form = unsigned.form.unwrap_or_default();
                signed.body = Some(appended(form, own, signature));
                signed.content_type = unsigned
                    .becomes_form
                    .then(|| HeaderValue::from_static(FORM));
            }
        }
        Ok(signed)
    }

    /// The signature base string, to be compared with what a server says that it has. With a
    /// nonce and a timestamp that are not fixed it is another one each time.
    ///
    /// It has no secret of the client or the token in it, but the token, the verifier and every
    /// parameter of query and form.
    ///
    /// ```
    /// use oauth_twin::{oauth1::Signer, reqwest::{Method, header::HeaderMap}};
    ///
    /// let signer = Signer::new("key").nonce("abc").timestamp(123);
    /// assert_eq!(
    ///     signer.base_string(&Method::GET, "http://EXAMPLE.com:80?b=2&a=1", &HeaderMap::new(), "")?,
    ///     "GET&http%3A%2F%2Fexample.com%2F&a%3D1%26b%3D2%26oauth_consumer_key%3Dkey\
    ///      %26oauth_nonce%3Dabc%26oauth_signature_method%3DHMAC-SHA1\
    ///      %26oauth_timestamp%3D123%26oauth_version%3D1.0"
    /// );
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign), but for the signature method.
    ///
    /// [RFC 5849 section 3.4.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1)
    pub fn base_string<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: impl Into<Body<'a>>,
    ) -> Result<String> {
        let unsigned = self.prepare(method, url, headers, body.into())?;
        let base_string = &unsigned.parameters.text[unsigned.base_string..];
        Ok(String::from_utf8_lossy(base_string).into_owned())
    }

    fn prepare<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: Body<'a>,
    ) -> Result<Unsigned<'a>> {
        if self.client_key.is_empty() {
            return Err(Error::usage("the client key is empty"));
        }
        let target = Target::parse(url)?;
        if matches!(self.method, SignatureMethod::Plaintext)
            && !(self.allow_http || target.is_secure())
        {
            return Err(Error::usage(
                "PLAINTEXT sends the secrets themselves and so needs https, or loopback \
                 (dangerous_allow_http permits plain http)",
            ));
        }
        self.check_authorization(&target, headers)?;
        let host = match headers.get(header::HOST) {
            Some(host) => Some(Authority::parse(host.to_str().unwrap_or_default())?),
            None => None,
        };
        let content_type = headers.get(header::CONTENT_TYPE);
        let is_form = content_type.is_some_and(is_form);
        let becomes_form = self.placement == SignatureType::Body
            && content_type.is_none()
            && matches!(body, Body::Bytes([]));
        let form = self.form(body, is_form || becomes_form)?;

        let query = target.query.unwrap_or_default().as_bytes();
        let ours = 400 + self.client_key.len() + self.callback.as_ref().map_or(0, String::len);
        let wire = ours + query.len() + form.map_or(0, <[u8]>::len);
        let mut parameters = Parameters::with_capacity(wire * 3 + target.estimate());
        parameters.extend_from_form(query, "query")?;
        parameters.extend_from_form(form.unwrap_or_default(), "body")?;
        let own = self.push_own(&mut parameters, form, body)?;

        let base_string = parameters.text.len();
        let text = &mut parameters.text;
        let uppercase = method
            .as_str()
            .bytes()
            .map(|byte| byte.to_ascii_uppercase());
        match unreserved(method.as_str().as_bytes()) == method.as_str().len() {
            true => text.extend(uppercase),
            false => {
                percent_encode_onto(&uppercase.collect::<Vec<_>>(), text);
            }
        }
        text.push(b'&');
        target.base_string_uri(host, text);
        text.push(b'&');
        parameters.append_normalised();
        Ok(Unsigned {
            target,
            parameters,
            own,
            base_string,
            form,
            becomes_form,
        })
    }

    /// The form that is signed, if there is one.
    fn form<'a>(&self, body: Body<'a>, is_form: bool) -> Result<Option<&'a [u8]>> {
        match body {
            Body::Bytes(form) if is_form => Ok(Some(form)),
            _ if self.placement == SignatureType::Body => Err(Error::usage(
                "the parameters of OAuth can only be put into a form body, and this body is none; \
                 put them into the header or the query",
            )),
            Body::Stream if is_form => Err(Error::usage(
                "a form is signed, and so cannot be a stream; give its bytes",
            )),
            Body::Stream if self.include_body => Err(Error::usage(
                "the body should be hashed (force_include_body), and so cannot be a stream",
            )),
            _ => Ok(None),
        }
    }

    fn check_authorization(&self, target: &Target<'_>, headers: &HeaderMap) -> Result<()> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        if self.placement == SignatureType::Header {
            // HTTP libraries make a header of the user name and the password in a URL.
            if values.next().is_some() || target.has_user_info {
                return Err(Error::usage(
                    "the request has an Authorization header, or a user name in its URL, already",
                ));
            }
        } else if values.any(is_oauth) {
            return Err(Error::usage(
                "the request has an Authorization header with parameters of OAuth already",
            ));
        }
        Ok(())
    }

    /// Adds the parameters of the protocol but for the signature, most of them as they are sorted.
    fn push_own(
        &self,
        parameters: &mut Parameters,
        form: Option<&[u8]>,
        body: Body<'_>,
    ) -> Result<Own> {
        let start = parameters.text.len();
        let mut own = Own::default();
        let mut push = |own: &mut Own, name, value: Option<&str>| {
            if let Some(value) = value {
                own.add(parameters.push(name, value.as_bytes()));
            }
        };
        let hash = match (body, form) {
            // "OAuth Consumers MUST NOT include an oauth_body_hash parameter on requests with
            // form-encoded request bodies."
            (Body::Bytes(body), None) if self.include_body => Some(self.method.body_hash(body)),
            _ => None,
        };
        push(&mut own, "oauth_body_hash", hash.as_deref());
        push(&mut own, "oauth_callback", self.callback.as_deref());
        push(&mut own, "oauth_consumer_key", Some(&self.client_key));
        push(
            &mut own,
            "oauth_session_handle",
            exposed(&self.session_handle),
        );
        push(&mut own, "oauth_signature_method", Some(self.method.name()));
        push(&mut own, "oauth_token", exposed(&self.token));
        push(&mut own, "oauth_verifier", exposed(&self.verifier));
        push(&mut own, "oauth_version", self.version.then_some("1.0"));
        let now = self.clock.unix();
        own.add(match &self.nonce {
            Some(nonce) => parameters.push("oauth_nonce", nonce.as_bytes()),
            None => parameters.push("oauth_nonce", &nonce(now)?),
        });
        let timestamp = self.timestamp.unwrap_or(now.as_secs());
        own.add(parameters.push_number("oauth_timestamp", timestamp));
        own.range = start..parameters.text.len();
        Ok(own)
    }

    /// Signs the base string and puts the signature behind it, not encoded.
    fn append_signature(&self, unsigned: &mut Unsigned<'_>) -> Result<()> {
        let text = &mut unsigned.parameters.text;
        let base_string = &text[unsigned.base_string..];
        if let Some(algorithm) = self.method.hmac() {
            let tag = hmac::sign(self.hmac_key(algorithm), base_string);
            append_base64(tag.as_ref(), text);
        } else if let Some((key, hash)) = self.method.rsa() {
            let signature = key.sign(hash, base_string)?;
            append_base64(&signature, text);
        } else if let SignatureMethod::Own(own) = &self.method {
            let base_string = String::from_utf8_lossy(base_string);
            let signature = own.sign(&base_string, self.secrets());
            let signature =
                signature.map_err(|error| Error::refused_by("the signature method", error))?;
            text.extend_from_slice(signature.as_bytes());
        } else {
            text.extend_from_slice(self.secrets().key().expose_secret().as_bytes());
        }
        Ok(())
    }
}

fn exposed(secret: &Option<Secret>) -> Option<&str> {
    secret.as_ref().map(Secret::expose_secret)
}

fn append_base64(bytes: &[u8], text: &mut Vec<u8>) {
    let start = text.len();
    text.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // It fails only for want of room.
    let written = STANDARD.encode_slice(bytes, &mut text[start..]);
    text.truncate(start + written.unwrap_or_default());
}

/// `own` is `name=value&` for each parameter.
fn appended(form: &[u8], own: &[u8], signature: &[u8]) -> Vec<u8> {
    let length = form.len() + own.len() + signature.len() * 2 + 32;
    let mut appended = Vec::with_capacity(length);
    appended.extend_from_slice(form);
    if !form.is_empty() && !form.ends_with(b"&") {
        appended.push(b'&');
    }
    appended.extend_from_slice(own);
    appended.extend_from_slice(b"oauth_signature=");
    percent_encode_onto(signature, &mut appended);
    appended
}

/// `OAuth realm="Example", oauth_consumer_key="…", …, oauth_signature="…"`.
fn authorization(
    realm: Option<&str>,
    text: &[u8],
    own: &Own,
    signature: &[u8],
) -> Result<HeaderValue> {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
    let realm_length = realm.map_or(0, |realm| {
        let special = realm.as_bytes().iter().filter(|byte| is_special(byte));
        realm.len() + special.count() + 10
    });
    let escaped = signature
        .iter()
        .filter(|byte| unreserved(&[**byte]) == 0)
        .count();
    // To the byte, as the header is not copied then. Each `=` becomes `="`, each `&` `", `.
    let length =
        6 + realm_length + own.range.len() + 3 * own.count + 18 + signature.len() + 2 * escaped;
    let mut value = Vec::with_capacity(length);
    value.extend_from_slice(b"OAuth ");
    if let Some(realm) = realm {
        value.extend_from_slice(b"realm=\"");
        for byte in realm.bytes() {
            if is_special(&byte) {
                value.push(b'\\');
            }
            value.push(byte);
        }
        value.extend_from_slice(b"\", ");
    }
    for pair in &own.pairs[..own.count] {
        value.extend_from_slice(&text[pair.name()]);
        value.extend_from_slice(b"=\"");
        value.extend_from_slice(&text[pair.value()]);
        value.extend_from_slice(b"\", ");
    }
    value.extend_from_slice(b"oauth_signature=\"");
    percent_encode_onto(signature, &mut value);
    value.push(b'"');
    debug_assert_eq!(value.len(), length);
    // All but the realm is percent-encoded.
    let mut value = HeaderValue::try_from(value)
        .map_err(|_invalid| Error::usage("the realm has a control character"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `application/x-www-form-urlencoded`, with whatever parameters.
fn is_form(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()))
}

fn is_oauth(authorization: &HeaderValue) -> bool {
    let scheme = authorization.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"OAuth"))
}

//! Signing: the base string, the signature, and its placement.
//!
//! [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use ring::hmac;

use crate::{
    encoding::{percent_encode, percent_encode_onto, unreserved},
    error::{Error, Result},
    oauth1::{
        Body, SignatureMethod, SignatureType, SignedRequest, Signer,
        nonce::nonce,
        parameters::{Parameters, StreamedParameters},
        protocol_parameters::RequestParameters,
        target::{Authority, Target},
    },
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Length of an HMAC-SHA512 in base64, the longest HMAC signature, in bytes.
const MAX_SIGNATURE_BYTES: usize = 88;

/// Length of query and form, in bytes, above which no base string is made where the hash of it will
/// do. A text of that takes four times as much.
const MAX_TEXT_BYTES: usize = 32 * 1024;

/// Request before it is signed.
struct Unsigned<'a> {
    target: Target<'a>,
    /// Nonce and timestamp, the parameters, and after them the base string.
    text: Vec<u8>,
    /// Start of the base string.
    base_string: usize,
    /// The parameters that follow the base string, which then ends before them.
    streamed: Option<StreamedParameters<'a>>,
    request_parameters: RequestParameters,
    /// The form in the body, if there is one.
    form: Option<&'a [u8]>,
    becomes_form: bool,
}

impl Signer {
    /// Signs a request with a new nonce.
    ///
    /// `url` is the URL as it is sent (`url::Url::as_str`, not as the user typed it). `headers` are
    /// the other headers of the request; `Host`, if it differs from the host of the URL, and
    /// `Content-Type` affect the signature.
    ///
    /// # Errors
    ///
    /// If the URL is not an absolute `http` or `https` URL; if the URL, the form or the headers
    /// already have protocol parameters, or there is an `Authorization` header where ours would be;
    /// if the parameters belong in a body that is not a form, or a body to be signed is a stream;
    /// if PLAINTEXT would go over plain HTTP to another machine; if the signature method fails.
    ///
    /// [RFC 5849 section 3.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.1)
    pub fn sign<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: impl Into<Body<'a>>,
    ) -> Result<SignedRequest<'a>> {
        let mut unsigned = self.prepare(method, url, headers, body.into(), MAX_TEXT_BYTES)?;
        let signature = unsigned.text.len();
        self.append_signature(&mut unsigned)?;
        let (text, signature) = unsigned.text.split_at(signature);
        let protocol = &self.prepared().parameters;
        let sent = |start| protocol.to_sent(start, &unsigned.request_parameters, text, signature);
        let mut signed = SignedRequest {
            url: Cow::Borrowed(url),
            authorization: None,
            body: None,
            content_type: None,
        };
        match self.placement {
            SignatureType::Header => {
                signed.authorization =
                    Some(header_value(sent([b"OAuth ", protocol.realm.as_bytes()]))?);
            }
            SignatureType::Query => {
                signed.url = unsigned.target.with_parameters(&sent([b"", b""])).into();
            }
            SignatureType::Body => {
                let form = unsigned.form.unwrap_or_default();
                signed.body = Some(match form {
                    [] | [.., b'&'] => sent([form, b""]),
                    _ => sent([form, b"&"]),
                });
                signed.content_type = unsigned
                    .becomes_form
                    .then(|| HeaderValue::from_static(FORM));
            }
        }
        Ok(signed)
    }

    /// The signature base string, for comparison with that of a server. It differs each time unless
    /// nonce and timestamp are fixed.
    ///
    /// It does not contain the secrets of the client and the token, but does contain the token, the
    /// verifier and every parameter of query and form.
    ///
    /// ```
    /// use http::{HeaderMap, Method};
    /// use oauth_twin::oauth1::Signer;
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
    /// As for [`sign`](Self::sign), except those of the signature method.
    ///
    /// [RFC 5849 section 3.4.1](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1)
    pub fn base_string<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: impl Into<Body<'a>>,
    ) -> Result<String> {
        let unsigned = self.prepare(method, url, headers, body.into(), usize::MAX)?;
        let base_string = &unsigned.text[unsigned.base_string..];
        Ok(String::from_utf8_lossy(base_string).into_owned())
    }

    fn prepare<'a>(
        &self,
        method: &Method,
        url: &'a str,
        headers: &HeaderMap,
        body: Body<'a>,
        max_text: usize,
    ) -> Result<Unsigned<'a>> {
        if self.client_key.is_empty() {
            return Err(Error::usage(
                "the client key is empty; set the one that the server has \
                issued",
            ));
        }
        let target = Target::parse(url)?;
        if matches!(self.method, SignatureMethod::Plaintext)
            && !(self.allow_http || target.is_secure())
        {
            return Err(Error::usage(
                "PLAINTEXT sends the secrets themselves, so the URL must be https or on loopback (dangerous_allow_http permits plain http)",
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
        let protocol = &self.prepared().parameters;
        let wire = query.len() + form.map_or(0, <[u8]>::len);
        let mut streamed = None;
        if wire > max_text && self.method.takes_parts() {
            streamed = StreamedParameters::new(query, form.unwrap_or_default())?;
        }
        let wire = if streamed.is_some() { 0 } else { wire };
        // Both the parameters and the base string, encoded twice.
        let capacity = 4 * wire + 2 * protocol.estimate() + target.estimate() + MAX_SIGNATURE_BYTES;
        let mut parameters = Parameters::with_capacity(capacity);
        let request_parameters =
            self.append_request_parameters(&mut parameters.text, form, body)?;
        if streamed.is_none() {
            parameters.extend_from_form(query, "query")?;
            parameters.extend_from_form(form.unwrap_or_default(), "body")?;
        }
        let append = |text: &mut Vec<u8>| protocol.append_signed(&request_parameters, text);
        match &mut streamed {
            Some(streamed) => {
                // Nonce and timestamp are positions in this text.
                let start = parameters.text.len();
                append(&mut parameters.text);
                streamed.set_protocol_parameters(parameters.text.split_off(start));
            }
            None => parameters.push_protocol_parameters(append),
        }

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
            text: parameters.text,
            base_string,
            streamed,
            request_parameters,
            form,
            becomes_form,
        })
    }

    /// The form that is signed, if there is one.
    fn form<'a>(&self, body: Body<'a>, is_form: bool) -> Result<Option<&'a [u8]>> {
        match body {
            Body::Bytes(form) if is_form => Ok(Some(form)),
            _ if self.placement == SignatureType::Body => Err(Error::usage(
                "the protocol parameters need a form body, and this body is not a form; use \
                 SignatureType::Header or SignatureType::Query",
            )),
            Body::Stream if is_form => Err(Error::usage(
                "the form body is a stream and cannot be signed; pass its bytes",
            )),
            Body::Stream if self.include_body => Err(Error::usage(
                "the body is a stream and cannot be hashed (force_include_body); pass its bytes",
            )),
            _ => Ok(None),
        }
    }

    fn check_authorization(&self, target: &Target<'_>, headers: &HeaderMap) -> Result<()> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        if self.placement == SignatureType::Header {
            // HTTP libraries turn the user name and the password of a URL into a header.
            if values.next().is_some() || target.has_user_info {
                return Err(Error::usage(
                    "the request already has an Authorization header or a user name in its URL; \
                     remove it",
                ));
            }
        } else if values.any(is_oauth) {
            return Err(Error::usage(
                "the request already has an Authorization header with OAuth parameters; remove it",
            ));
        }
        Ok(())
    }

    /// Makes the parameters of a single request.
    fn append_request_parameters(
        &self,
        text: &mut Vec<u8>,
        form: Option<&[u8]>,
        body: Body<'_>,
    ) -> Result<RequestParameters> {
        let now = self.clock.unix();
        let start = text.len();
        match &self.nonce {
            Some(nonce) => percent_encode_onto(nonce.as_bytes(), text),
            None => text.extend_from_slice(&nonce(now)?),
        }
        let nonce = start..text.len();
        append_number(self.timestamp.unwrap_or(now.as_secs()), text);
        let body_hash = match (body, form) {
            // "OAuth Consumers MUST NOT include an oauth_body_hash parameter on requests with
            // form-encoded request bodies."
            (Body::Bytes(body), None) if self.include_body => {
                Some(percent_encode(&self.method.body_hash(body)))
            }
            _ => None,
        };
        Ok(RequestParameters {
            timestamp: nonce.end..text.len(),
            nonce,
            body_hash,
        })
    }

    /// Signs the base string and appends the signature, percent-encoded.
    fn append_signature(&self, unsigned: &mut Unsigned<'_>) -> Result<()> {
        let text = &mut unsigned.text;
        let base_string = &text[unsigned.base_string..];
        if let Some(key) = &self.prepared().hmac_key {
            let tag = match &unsigned.streamed {
                None => hmac::sign(key, base_string),
                Some(parameters) => parameters.sign(key, base_string),
            };
            let mut signature = [0; MAX_SIGNATURE_BYTES];
            // It fails only if the buffer is too small.
            let written = STANDARD.encode_slice(tag, &mut signature);
            percent_encode_onto(&signature[..written.unwrap_or_default()], text);
        } else if let Some((key, hash)) = self.method.rsa() {
            let signature = key.sign(hash, base_string)?;
            percent_encode_onto(STANDARD.encode(signature).as_bytes(), text);
        } else if let SignatureMethod::Custom(custom) = &self.method {
            let base_string = String::from_utf8_lossy(base_string);
            let signature = custom.sign(&base_string, self.secrets());
            let signature =
                signature.map_err(|error| Error::refused_by("the signature method", error))?;
            percent_encode_onto(signature.as_bytes(), text);
        } else {
            percent_encode_onto(self.secrets().key().expose_secret().as_bytes(), text);
        }
        Ok(())
    }
}

fn append_number(mut number: u64, text: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

fn header_value(value: Vec<u8>) -> Result<HeaderValue> {
    // Everything except the realm is percent-encoded.
    let mut value = HeaderValue::try_from(value)
        .map_err(|_invalid| Error::usage("the realm contains a control character; remove it"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether it is `application/x-www-form-urlencoded`, with any parameters.
fn is_form(content_type: &HeaderValue) -> bool {
    // The usual spelling.
    if content_type == FORM {
        return true;
    }
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()))
}

fn is_oauth(authorization: &HeaderValue) -> bool {
    let scheme = authorization.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"OAuth"))
}

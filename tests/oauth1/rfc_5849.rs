//! The examples of RFC 5849, and signatures of other libraries.

use oauth_twin::{
    http::{
        Method,
        header::{CONTENT_TYPE, HeaderMap},
    },
    oauth1::{SignatureMethod, Signer},
};

use super::{form, header, headers};

#[test]
fn rfc_5849_section_1_2() {
    let client = Signer::new("dpf43f3p2l4k3l03")
        .client_secret("kd94hf93k423kf44")
        .realm("Photos")
        .without_version();
    let none = HeaderMap::new();

    let signer = client.clone().nonce("wIjqoS").timestamp(137_131_200);
    let signer = signer.callback("http://printer.example.com/ready");
    let signed = signer.sign(
        &Method::POST,
        "https://photos.example.net/initiate",
        &none,
        "",
    );
    assert_eq!(
        header(&signed.expect("a signature")),
        "OAuth realm=\"Photos\", oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\", \
         oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_signature_method=\"HMAC-SHA1\", \
         oauth_nonce=\"wIjqoS\", oauth_timestamp=\"137131200\", \
         oauth_signature=\"74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D\""
    );

    let signer = client.clone().nonce("walatlh").timestamp(137_131_201);
    let signer = signer.token("hh5s93j4hdidpola", "hdhd0244k9j7ao03");
    let signer = signer.verifier("hfdp7dh39dks9884");
    let signed = signer.sign(&Method::POST, "https://photos.example.net/token", &none, "");
    let signed = header(&signed.expect("a signature"));
    assert!(signed.ends_with("oauth_signature=\"gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D\""));

    let signer = client.nonce("chapoH").timestamp(137_131_202);
    let signer = signer.token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00");
    let url = "http://photos.example.net/photos?file=vacation.jpg&size=original";
    let signed = header(
        &signer
            .sign(&Method::GET, url, &none, "")
            .expect("a signature"),
    );
    assert!(signed.ends_with("oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\""));
}

#[test]
fn rfc_5849_section_3_4_1() {
    let signer = Signer::new("9djdj82h48djs9d2")
        .client_secret("j49sk3j29djd")
        .token("kkk9d7dh3k39sjv7", "dh893hdasih9")
        .nonce("7d8f3e4a")
        .timestamp(137_131_201)
        .without_version();
    let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
    for url in [url, &url.replace("EXAMPLE.COM:80", "example.com")] {
        let base_string = signer.base_string(&Method::POST, url, &form(), "c2&a3=2+q");
        assert_eq!(
            base_string.expect("a base string"),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q\
             %26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_\
             key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_m\
             ethod%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk\
             9d7dh3k39sjv7"
        );
        let signed = signer.sign(&Method::POST, url, &form(), "c2&a3=2+q");
        // The RFC does not say by which secrets its own value was made.
        assert!(
            header(&signed.expect("a signature")).contains("r6%2FTJjbCOr97%2F%2BUU0NsvSne7s5g%3D")
        );
    }
}

/// From Authlib's tests, and of one that it signs wrongly (a callback with `%`, decoded twice).
#[test]
fn signatures_of_authlib_s() {
    let signer = |id: &str, secret: &str| {
        let signer = Signer::new(id).client_secret(secret);
        signer.nonce("abc").timestamp(123)
    };
    let signature = |signer: &Signer, url: &str, headers: &HeaderMap, body: &str| {
        let signed = signer.sign(&Method::POST, url, headers, body).expect(url);
        let text = header(&signed);
        let (_, value) = text.rsplit_once("oauth_signature=\"").expect("a signature");
        value
            .replace("%3D", "=")
            .replace("%2F", "/")
            .replace("%2B", "+")
            .replace('"', "")
    };
    let none = HeaderMap::new();
    let foo = signer("foo", "");
    assert_eq!(
        signature(&foo, "https://i.b", &none, ""),
        "h2sRqLArjhlc5p3FTkuNogVHlKE="
    );
    for url in [
        "https://i.b?cjk=%E5%95%A6%E5%95%A6",
        "https://i.b?cjk=\u{5566}\u{5566}",
    ] {
        assert_eq!(
            signature(&foo, url, &none, ""),
            "W0haoue5IZAZoaJiYCtfqwMf8x8="
        );
    }
    let plain = foo.signature_method(SignatureMethod::Plaintext);
    assert_eq!(signature(&plain, "https://i.b", &none, ""), "%26");
    let (url, body) = ("https://ex.com/p?q=1%202", "a=1+2&b=x%26y");
    let token = signer("id", "sec").token("tk", "ts");
    assert_eq!(
        signature(&token, url, &form(), body),
        "z1itMvjjp79xckmD0COhQzpjifw="
    );
    let callback = token.callback("https://cb/x?y=%20a%2Fb");
    assert_eq!(
        signature(&callback, url, &form(), body),
        "O62bdUFV7rnEPUmopOx+OJiE/lY="
    );
    let hashed = signer("id", "sec").force_include_body(true);
    let json = headers([(CONTENT_TYPE, "application/json")]);
    let signed = signature(&hashed, "https://ex.com/p", &json, r#"{"a": 1}"#);
    assert_eq!(signed, "n/ljdNb98FA77FWVoyd0uYAIPgs=");
}

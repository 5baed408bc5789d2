use proptest::prelude::*;

use super::*;
use crate::oauth1::parameters::{Parameters, hasher::SMALL_PIECE};

const START: &[u8] = b"POST&https%3A%2F%2Fa.example%2F&";
const PROTOCOL: &[u8] = b"oauth_nonce%3Da%26oauth_version%3D1.0%26";

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"a&b")
}

/// The HMAC of the whole base string.
fn by_text(query: &[u8], form: &[u8]) -> Result<hmac::Tag> {
    let mut parameters = Parameters::with_capacity(0);
    parameters.extend_from_form(query, "query")?;
    parameters.extend_from_form(form, "body")?;
    parameters.push_protocol_parameters(|text| text.extend_from_slice(PROTOCOL));
    let end = parameters.text.len();
    parameters.text.extend_from_slice(START);
    parameters.append_normalised();
    Ok(hmac::sign(&key(), &parameters.text[end..]))
}

fn streamed(query: &[u8], form: &[u8]) -> Result<hmac::Tag> {
    let parameters = StreamedParameters::new(query, form)?;
    let mut parameters = parameters.expect("few bytes");
    parameters.set_protocol_parameters(PROTOCOL.to_vec());
    Ok(parameters.sign(&key(), START))
}

/// Whether both sign alike, or refuse alike.
fn agree(query: &[u8], form: &[u8]) -> Result<bool> {
    match (by_text(query, form), streamed(query, form)) {
        (Ok(text), Ok(streamed)) => Ok(text.as_ref() == streamed.as_ref()),
        (Err(text), Err(streamed)) => Ok(text.to_string() == streamed.to_string()),
        (text, streamed) => text.and(streamed).map(|_| false),
    }
}

#[test]
fn the_signature_is_that_of_the_text() {
    let large = "p".repeat(3 * SMALL_PIECE);
    let names: Vec<_> = (0..2000).rev().map(|n| format!("p{n}={n}%20")).collect();
    let long: Vec<_> = (0..2000)
        .map(|n| {
            let name = ["parameter_", "parameter%5F", "parameter"][n % 3];
            format!("{name}{}=a value that is long {}", n * 7 % 500, n % 2)
        })
        .collect();
    for (query, form) in [
        ("", ""),
        ("&a&&", "&&"),
        ("b=2&a", "a=1&b=1&b=&z=+&oauth=1&oaut&p"),
        (
            "ab=1&a=2&a%3D=3&a-=4&a%41=1&aA=2&aA=1",
            "=v&=&%=&%4&%zz=1&%25zz",
        ),
        ("a=%C3%A4", "a=\u{e4}&a=b=c&a=b%3Dc&a=b%3dc&a=b+c&a=b%20c"),
        (&large, &large),
        ("a=1", &names.join("&")),
        ("parameter_1=1", &long.join("&")),
    ] {
        let agreed = agree(query.as_bytes(), form.as_bytes());
        assert!(agreed.expect("a signature"), "{query} {form}");
    }
}

/// A thread hashes what was encoded, while more is.
#[test]
fn the_signature_of_a_large_form_is_that_of_the_text() {
    let value = "a value+with~%41 ".repeat(4000);
    let sorted: Vec<_> = (0..30).map(|n| format!("p{n:02}={value}")).collect();
    let mut shuffled = sorted.clone();
    shuffled.swap(3, 20);
    let names: String = (0..80_000)
        .map(|n| format!("n{}=1&", n * 7 % 80_000))
        .collect();
    for form in [
        sorted.join("&"),
        shuffled.join("&"),
        names,
        value.repeat(12),
    ] {
        assert!(form.len() > 600_000);
        assert!(agree(b"p=1", form.as_bytes()).expect("a signature"));
    }
}

/// Samples say what all begin with. The first parameter is none of them, and its escape begins where
/// that of the others ends.
#[test]
fn an_escape_that_no_sample_has_is_in_its_place() {
    let others = (0..8000).map(|n| {
        let n = n * 3_001 % 8_000;
        let escape = ["%7A", "%6B"][n % 2];
        format!("&x%a{escape}{n:05}=vvvvvvvvvvvv")
    });
    for first in ["x%ab=1", "x%AB=1", "x%=1", "x%a=1"] {
        let form: String = [first.to_owned()]
            .into_iter()
            .chain(others.clone())
            .collect();
        assert!(agree(b"", form.as_bytes()).expect("a signature"), "{first}");
    }
}

#[test]
fn the_protocol_s_names_are_taken() {
    for name in [
        "oauth_token=1",
        "a&oauth_x",
        "%6fauth%5Fnonce=1",
        "oauth%5f%25=",
        "oauth_",
    ] {
        for (query, form) in [(name, "b"), ("b", name)] {
            let error = streamed(query.as_bytes(), form.as_bytes()).expect_err(name);
            assert!(error.to_string().contains("already has a parameter oauth_"));
            assert!(agree(query.as_bytes(), form.as_bytes()).expect("two errors"));
        }
    }
}

#[test]
fn escapes_are_encoded_wherever_a_step_ends() {
    let texts = [
        "%41",
        "%4a%4A",
        "%e4%E4",
        "%zz%4",
        "%%41",
        "+=",
        "\u{e4}%2b%2B",
    ];
    for length in (0..70).chain(240..270).chain(500..520) {
        let plain = "p".repeat(length);
        let values = texts.map(|text| format!("a={plain}{text}"));
        for form in [
            values.join("&"),
            texts.map(|text| format!("{plain}{text}")).join("&"),
        ] {
            // The end of the form, and followed by more.
            for form in [form.clone(), format!("{form}&z={plain}{plain}")] {
                let agreed = agree(b"", form.as_bytes());
                assert!(agreed.expect("a signature"), "{form}");
            }
        }
    }
    for text in ["%", "=", "%&", "=&", "+&", "%41&", "\u{e4}&", "a&"] {
        let form = text.repeat(2000);
        assert!(agree(b"", form.as_bytes()).expect("a signature"), "{text}");
    }
}

#[test]
fn the_order_is_seen_in_query_and_form() {
    let order = |query: &str, form: &str| {
        let parameters = StreamedParameters::new(query.as_bytes(), form.as_bytes());
        let parameters = parameters.expect("no error").expect("few bytes");
        match parameters.order {
            Order::AsSent(position) => Some(position),
            Order::Sorted(_) => None,
        }
    };
    for (query, form, expected) in [
        ("", "", Some(0)),
        ("", "a=1&b=2&p=1", Some(8)),
        ("", "a=1&b=2&b=2&&", Some(11)),
        ("a=1&z=1", "z=2", Some(4)),
        ("a=1&", "n=2&p", Some(7)),
        ("p=1", "p=2", Some(0)),
        ("b=1", "a=2", None),
        ("", "a=2&a=1", None),
        ("", "a&&b", None),
        ("&a", "b", None),
        ("", "a%7E=1&a-=1", None),
    ] {
        assert_eq!(order(query, form), expected, "{query} {form}");
        let agreed = agree(query.as_bytes(), form.as_bytes());
        assert!(agreed.expect("a signature"), "{query} {form}");
    }
}

proptest! {
    #[test]
    fn a_form_that_is_sorted_is_signed_as_its_text_is(
        mut parameters in prop::collection::vec(
            "([a-z]|%4[0-9A-Fa-f]){1,6}(=([a-z]|%[2-7][0-9A-Fa-f]|[+=~]){0,90})?",
            0..40,
        ),
        query in 0..60_usize,
    ) {
        parameters.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        let (query, form) = parameters.split_at(query.min(parameters.len()));
        let (query, form) = (query.join("&"), form.join("&"));
        prop_assert!(agree(query.as_bytes(), form.as_bytes()).unwrap_or(false));
    }

    #[test]
    fn any_form_is_signed_as_its_text_is(
        padding in 0..2_usize,
        query in "([aob]|oauth_|%|%2|%4[0-9a-fz]|[&=+]|\u{e4}|.){0,12}",
        form in prop::collection::vec("([ab]|%41|%3D|[=+%-]|\u{e4}|.){0,6}", 0..40),
        bytes: Vec<u8>,
    ) {
        // Sorted by keys, where the parameters take more memory than these.
        let padding = ["", "=a value of twenty four"][padding];
        let form = form.join(&format!("{padding}&"));
        prop_assert!(agree(query.as_bytes(), form.as_bytes()).unwrap_or(false));
        prop_assert!(agree(&bytes, &bytes).unwrap_or(false));
    }
}

//! Redaction of request secrets in the text of servers.

use crate::{encoding::percent_encode, secret::Secret};

/// The server's text without the secrets of the request, in any encoding of them.
pub(crate) fn without_secrets<'a>(
    text: &str,
    secrets: impl IntoIterator<Item = &'a str>,
) -> String {
    // One or two characters are no secret, and replacing them would garble the text.
    let secrets = secrets.into_iter().filter(|secret| secret.len() > 2);
    redacted(text, secrets.flat_map(encoded).collect())
}

fn encoded(secret: &str) -> impl Iterator<Item = Secret> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let once = percent_encode(secret);
    // The encoding in a PLAINTEXT signature.
    let twice = percent_encode(&once);
    let [lower_form, lower_once] = [&form, &once].map(|encoded| with_lower_case_escapes(encoded));
    let lower_twice = percent_encode(&lower_once);
    let encoded = [secret.to_owned(), form, once, twice];
    let lower = [lower_form, lower_once, lower_twice];
    encoded.into_iter().chain(lower).map(Secret::new)
}

/// The encoded text with the hexadecimal digits that .NET writes.
fn with_lower_case_escapes(encoded: &str) -> String {
    let mut text = String::with_capacity(encoded.len());
    let mut escape = 0;
    for char in encoded.chars() {
        let is_digit = escape > 0;
        escape = if char == '%' {
            2_u8
        } else {
            escape.saturating_sub(1)
        };
        text.push(if is_digit {
            char.to_ascii_lowercase()
        } else {
            char
        });
    }
    text
}

fn redacted(text: &str, mut secrets: Vec<Secret>) -> String {
    let mut text = text.to_owned();
    // Longest first: a secret may be part of another. They are few, and sorting is much code.
    while let Some(longest) = (0..secrets.len()).max_by_key(|at| secrets[*at].expose_secret().len())
    {
        let secret = secrets.swap_remove(longest);
        text = text.replace(secret.expose_secret(), "[redacted]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_encoding() {
        let text = "a& b a%26%20b a%26+b a%2526%2520b ab%20 id";
        assert_eq!(
            without_secrets(text, ["a& b", "id", "ab%20", "a"]),
            "[redacted] [redacted] [redacted] [redacted] [redacted] id"
        );
        // .NET writes escapes in lower case.
        assert_eq!(
            without_secrets(
                "é/B+c: %c3%a9%2fB%2bc %25c3%25a9%252fB%252bc %2FB",
                ["é/B+c"]
            ),
            "[redacted]: [redacted] [redacted] %2FB"
        );
        // One is a part of the other.
        assert_eq!(
            without_secrets("hunter2-long", ["hunter2", "hunter2-long"]),
            "[redacted]"
        );
    }
}

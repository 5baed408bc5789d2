//! Numbers of JSON objects, for which some servers send text.

use serde_json::{Number, Value};

/// The number that a value stands for. Facebook and others send `expires_in` as a string, PayPal did;
/// floats occur, too. An unreadable value counts as absent.
pub(crate) fn number(value: &Value) -> Option<f64> {
    // Whole numbers up to 2^53 are exact as floats, and later times are all the same.
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim();
            // By the parser of JSON, which every program contains, and not by that of floats, which
            // is larger. JSON has no leading zeros.
            let number = text.parse().ok();
            let number = number.or_else(|| text.parse::<u64>().ok().map(Number::from))?;
            number.as_f64()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_their_text_are_read() {
        for (value, expected) in [
            (json!(60), 60.0),
            (json!(-0.5), -0.5),
            (json!("60"), 60.0),
            (json!(" 60.5\n"), 60.5),
            (json!("-5"), -5.0),
            (json!("6e1"), 60.0),
            (json!("060"), 60.0),
            (json!("+60"), 60.0),
            (json!("99999999999999999999999999"), 1e26),
        ] {
            assert_eq!(number(&value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_stands_for_no_number_is_none() {
        for text in [
            "", " ", "-", "+", ".", "soon", "6 0", "60s", "0x3c", "NaN", "inf",
        ] {
            assert_eq!(number(&json!(text)), None, "{text}");
        }
        for value in [
            json!(null),
            json!(true),
            json!([60]),
            json!({"seconds": 60}),
        ] {
            assert_eq!(number(&value), None, "{value}");
        }
    }
}

//! Dates with time in text, as other libraries store them.
//!
//! [RFC 3339 section 5.6](https://www.rfc-editor.org/rfc/rfc3339#section-5.6)

/// The seconds since 1970 of a date with time and offset; none for one before 1970, which is Go's
/// zero value for "never".
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        digits.parse().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour, minute) <= (23, 59)
        && minute <= 59
        && second <= 60;
    let rest = text.get(19..)?;
    let fraction = rest.strip_prefix('.').map_or(0, |rest| {
        1 + rest.bytes().take_while(u8::is_ascii_digit).count()
    });
    let offset = match rest.get(fraction..)?.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let from = 19 + fraction + 1;
            let seconds = number(from, from + 2)? * 3600 + number(from + 3, from + 5)? * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        // Without an offset it may be the time of any place.
        _ => return None,
    };
    let time = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    in_range.then_some(u64::try_from(time).ok()).flatten()
}

/// The days from 1970 to a date of the Gregorian calendar: whole years that begin in March, so that
/// the leap day is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2015-01-03T05:28:44Z", 1_420_262_924),
            ("2015-01-03T05:28:44.658Z", 1_420_262_924),
            ("2015-01-03t06:28:44.123456789+01:00", 1_420_262_924),
            ("2015-01-02 23:58:44-05:30", 1_420_262_924),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_with_an_offset_is_none() {
        for text in [
            "",
            "2015-01-03",
            "2015-01-03T05:28:44",
            "2015-01-03T05:28Z",
            "2015-13-03T05:28:44Z",
            "2015-01-32T05:28:44Z",
            "2015-01-03T24:00:00Z",
            "2015-01-03T05:60:44Z",
            "2015-01-03T05:28:44+0100",
            "2015-01-03T05:28:44.Zx",
            "+015-01-03T05:28:44Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "Sat, 03 Jan 2015 05:28:44 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = seconds(&text);
        }
    }
}

//! Answers of the loopback receiver. None repeats anything of the request.

/// The page that the user sees in the end.
pub(crate) const PAGE: &str = include_str!("page.html");

/// Headers of every answer: nothing is stored, nothing is loaded, and no other page learns of the
/// address.
const HEADERS: &str = "Content-Type: text/html; charset=utf-8\r\n\
    Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    Connection: close\r\n";

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageAnswer {
    /// The page of the end.
    Page,
    /// The redirect to it: the same path without the query, so that no code stays in the address bar and
    /// in the history.
    Redirect,
    /// The page for a callback that belongs to no pending login.
    NoLogin,
    /// The answer to a request for the allowed methods or for the headers alone.
    Nothing,
    NotFound,
    NotAllowed,
    WrongHost,
    InvalidRequest,
    TooLarge,
}

impl PageAnswer {
    /// The bytes of the answer, for a receiver at `path` with the user's `page`.
    pub(crate) fn bytes(self, path: &str, page: &str, is_post: bool) -> Vec<u8> {
        let allow = match is_post {
            true => "Allow: GET, HEAD, OPTIONS, POST\r\n",
            false => "Allow: GET, HEAD, OPTIONS\r\n",
        };
        let location = format!("Location: {path}\r\n");
        let (status, more, body) = match self {
            Self::Page => ("200 OK", "", page),
            Self::Redirect => ("303 See Other", &*location, ""),
            Self::NoLogin => ("400 Bad Request", "", NO_LOGIN_PAGE),
            Self::Nothing => ("204 No Content", allow, ""),
            Self::NotFound => ("404 Not Found", "", ""),
            Self::NotAllowed => ("405 Method Not Allowed", allow, ""),
            Self::WrongHost => ("421 Misdirected Request", "", ""),
            Self::InvalidRequest => ("400 Bad Request", "", ""),
            Self::TooLarge => ("431 Request Header Fields Too Large", "", ""),
        };
        let length = match self {
            Self::Nothing => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        format!("HTTP/1.1 {status}\r\n{HEADERS}{more}{length}\r\n{body}").into_bytes()
    }
}

/// For an old page or a forged one, whose user must know that nothing has happened.
const NO_LOGIN_PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta name=\"color-scheme\" content=\"light dark\"><title>No login</title>\
    <p>This page belongs to no login that is waiting. Go back to the program, and open the address \
    that it shows.</p></html>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_keeps_to_itself() {
        for answer in [
            PageAnswer::Page,
            PageAnswer::Redirect,
            PageAnswer::NoLogin,
            PageAnswer::Nothing,
            PageAnswer::NotFound,
            PageAnswer::NotAllowed,
            PageAnswer::WrongHost,
            PageAnswer::InvalidRequest,
            PageAnswer::TooLarge,
        ] {
            let text = String::from_utf8(answer.bytes("/cb", PAGE, false)).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            for header in [
                "Cache-Control: no-store",
                "Referrer-Policy: no-referrer",
                "Content-Security-Policy: default-src 'none'; ",
                "X-Content-Type-Options: nosniff",
                "Connection: close",
            ] {
                assert!(head.contains(header), "{answer:?} {header}");
            }
            if answer != PageAnswer::Nothing {
                assert!(
                    head.contains(&format!("Content-Length: {}", body.len())),
                    "{answer:?}"
                );
            }
            assert!(!body.contains("<script"));
        }
    }

    #[test]
    fn the_page_is_readable_on_a_phone_by_day_and_by_night() {
        for part in [
            "width=device-width",
            "prefers-color-scheme: dark",
            "lang=\"en\"",
        ] {
            assert!(PAGE.contains(part), "{part}");
        }
        // Nothing has to be loaded.
        assert!(!PAGE.contains("http") && !PAGE.contains("src="));
    }
}

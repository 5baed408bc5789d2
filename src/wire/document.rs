//! Documents that a server publishes, and their lifetimes.
//!
//! [RFC 9111 section 4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{clock::since_epoch, error::Result, wire::response::EndpointResponse};

/// Lifetime of a document whose response says nothing about it.
const DEFAULT_LIFETIME: u64 = 60 * 60;
/// Shortest lifetime, whatever the response says: a server that forbids caching is not asked for
/// each login.
const SHORTEST_LIFETIME: u64 = 60;
/// Longest lifetime, whatever the response says: a key that was withdrawn is not trusted for ever.
const LONGEST_LIFETIME: u64 = 24 * 60 * 60;
/// The time in which nothing is fetched again after a failure, or after a fetch that a received
/// token caused.
const COOL_DOWN: u64 = 60;

/// Freshness of a document: its lifetime, and the last attempt to replace it. In seconds since 1970,
/// as it may be kept for another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Freshness {
    fetched_at: u64,
    expires_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempted_at: Option<u64>,
    #[serde(default)]
    failed: bool,
}

impl Freshness {
    /// The freshness of a document that arrives now with these headers.
    pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Self {
        let lifetime = lifetime(headers).unwrap_or(DEFAULT_LIFETIME);
        Self::for_seconds(lifetime, now)
    }

    /// The freshness of a document with this lifetime.
    pub(crate) fn for_seconds(lifetime: u64, now: SystemTime) -> Self {
        let fetched_at = seconds(now);
        let lifetime = lifetime.clamp(SHORTEST_LIFETIME, LONGEST_LIFETIME);
        Self {
            fetched_at,
            expires_at: fetched_at.saturating_add(lifetime),
            attempted_at: None,
            failed: false,
        }
    }

    pub(crate) fn fetched_at(&self) -> Duration {
        Duration::from_secs(self.fetched_at)
    }

    pub(crate) fn expires_at(&self) -> Duration {
        Duration::from_secs(self.expires_at)
    }

    /// Whether the document is within its lifetime. Before it was fetched it is not: the clock was
    /// set back, or another one was wrong.
    pub(crate) fn is_fresh(&self, now: SystemTime) -> bool {
        // What was kept may have any values.
        let expires_at = self
            .expires_at
            .min(self.fetched_at.saturating_add(LONGEST_LIFETIME));
        (self.fetched_at..expires_at).contains(&seconds(now))
    }

    /// Whether the last attempt to replace the document is too recent for another one.
    pub(crate) fn is_cooling_down(&self, now: SystemTime) -> bool {
        self.attempted_at
            .is_some_and(|at| (at..at.saturating_add(COOL_DOWN)).contains(&seconds(now)))
    }

    /// Whether the last attempt failed, and is too recent for another one.
    pub(crate) fn has_failed(&self, now: SystemTime) -> bool {
        self.failed && self.is_cooling_down(now)
    }

    /// Records an attempt that brought no other document.
    pub(crate) fn fail(&mut self, now: SystemTime) {
        self.attempted_at = Some(seconds(now));
        self.failed = true;
    }

    /// Records the attempt that brought this document instead of `old`. If that one was still fresh,
    /// a received token caused the attempt, and the next one has to wait.
    pub(crate) fn replace(&mut self, old: &Self, now: SystemTime) {
        self.attempted_at = old.is_fresh(now).then(|| seconds(now));
        self.failed = false;
    }
}

fn seconds(time: SystemTime) -> u64 {
    since_epoch(time).as_secs()
}

/// The remaining lifetime that HTTP gives a response, if it says anything about it.
fn lifetime(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok();
    let lifetime = match cache_control(headers) {
        Some(lifetime) => lifetime,
        None => {
            let expires = text(header::EXPIRES)?;
            // "A cache recipient MUST interpret invalid date formats, especially the value "0", as
            // representing a time in the past".
            let date = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
            let expires = httpdate::parse_http_date(expires).ok();
            match (expires, date) {
                (Some(expires), Some(date)) => {
                    expires.duration_since(date).unwrap_or_default().as_secs()
                }
                // Without the server's own time, the difference is not known.
                (Some(_), None) => return None,
                (None, _) => 0,
            }
        }
    };
    let age = text(header::AGE).and_then(|age| age.trim().parse().ok());
    Some(lifetime.saturating_sub(age.unwrap_or(0)))
}

/// The lifetime by `Cache-Control`, in seconds.
fn cache_control(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter();
    let directives: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    let has = |name: &str| {
        let is = |directive: &String| directive.split('=').next() == Some(name);
        directives.iter().any(is)
    };
    if has("no-store") || has("no-cache") {
        return Some(0);
    }
    let max_age = directives
        .iter()
        .find_map(|directive| directive.strip_prefix("max-age="))?;
    // "caches are encouraged to consider responses that have invalid freshness information to be
    // stale", and a number that is too large counts as the largest.
    let digits = max_age.trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some(match is_number {
        true => digits.parse().unwrap_or(u64::MAX),
        false => 0,
    })
}

/// Document that is fetched again when it has expired.
pub(crate) trait Document: Clone + Send + Sync + 'static {
    fn freshness_mut(&mut self) -> &mut Freshness;

    /// The parts of it that were skipped, each with the reason.
    fn skipped(&self) -> &[String] {
        &[]
    }
}

/// Requests that bring a document: each response decides on the next one.
pub(crate) trait DocumentSource: Send + 'static {
    type Document: Document;

    /// The name for error messages.
    const NAME: &'static str;

    /// The first step, without a response, or the step after the last one.
    fn step(&mut self, response: Option<Result<EndpointResponse>>) -> FetchStep<Self::Document>;
}

/// Step of fetching a document.
#[derive(Debug)]
pub(crate) enum FetchStep<T> {
    /// Sends a `GET` request there.
    Get(Url),
    /// Ends.
    Done(Result<T>),
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn http_gives_the_lifetime_within_bounds() {
        const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:00:00 GMT");
        const HOUR: (&str, &str) = ("expires", "Sun, 06 Nov 1994 09:00:00 GMT");
        for (lines, lifetime) in [
            (vec![], 3600),
            (vec![("cache-control", "public, max-age=600")], 600),
            (vec![("cache-control", "Max-Age=600")], 600),
            (vec![("cache-control", "max-age=\"600\"")], 600),
            (
                vec![
                    ("cache-control", "public"),
                    ("cache-control", "max-age=7200"),
                ],
                7200,
            ),
            (vec![("cache-control", "max-age=600"), ("age", "400")], 200),
            (vec![("cache-control", "max-age=600"), ("age", "4000")], 60),
            (vec![("cache-control", "max-age=600"), ("age", "old")], 600),
            (vec![("cache-control", "max-age=600"), DATE, HOUR], 600),
            (vec![("cache-control", "max-age=0")], 60),
            (vec![("cache-control", "max-age=-1")], 60),
            (vec![("cache-control", "max-age=")], 60),
            (vec![("cache-control", "no-store")], 60),
            (
                vec![("cache-control", "max-age=600, no-cache=\"set-cookie\"")],
                60,
            ),
            (vec![("cache-control", "max-age=31536000")], 86400),
            (
                vec![("cache-control", "max-age=99999999999999999999999")],
                86400,
            ),
            (vec![("cache-control", "must-revalidate")], 3600),
            (vec![DATE, HOUR], 3600),
            (vec![DATE, HOUR, ("age", "600")], 3000),
            (vec![HOUR, ("date", HOUR.1)], 60),
            (vec![("date", HOUR.1), ("expires", DATE.1)], 60),
            (vec![HOUR], 3600),
            (vec![("expires", "0"), DATE], 60),
            (vec![("expires", "0")], 60),
        ] {
            let freshness = Freshness::of(&headers(&lines), at(1000));
            let found = freshness.expires_at - freshness.fetched_at;
            assert_eq!(found, lifetime, "{lines:?}");
        }
    }

    #[test]
    fn a_document_is_fresh_from_its_fetch_to_its_end() {
        let freshness = Freshness::for_seconds(100, at(1000));
        for (now, is_fresh) in [(999, false), (1000, true), (1099, true), (1100, false)] {
            assert_eq!(freshness.is_fresh(at(now)), is_fresh, "{now}");
        }
        let kept = r#"{"fetched_at":1000,"expires_at":18446744073709551615,"failed":false}"#;
        let kept: Freshness = serde_json::from_str(kept).expect("JSON");
        assert!(kept.is_fresh(at(1000 + LONGEST_LIFETIME - 1)));
        assert!(!kept.is_fresh(at(1000 + LONGEST_LIFETIME)));
    }

    #[test]
    fn an_attempt_is_followed_by_a_cool_down() {
        let mut old = Freshness::for_seconds(100, at(1000));
        assert!(!old.is_cooling_down(at(1000)));
        let mut new = Freshness::for_seconds(100, at(1200));
        new.replace(&old, at(1200));
        assert!(!new.is_cooling_down(at(1200)), "the old one had expired");
        new.replace(&old, at(1050));
        for (now, cools) in [(1049, false), (1050, true), (1109, true), (1110, false)] {
            assert_eq!(new.is_cooling_down(at(now)), cools, "{now}");
            assert!(!new.has_failed(at(now)));
        }
        old.fail(at(1050));
        for (now, failed) in [(1049, false), (1050, true), (1109, true), (1110, false)] {
            assert_eq!(old.has_failed(at(now)), failed, "{now}");
        }
    }
}

//! Resource identifiers, and the places where a resource's metadata may be.
//!
//! [RFC 9728 section 3](https://www.rfc-editor.org/rfc/rfc9728#section-3),
//! [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)

use url::Url;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Rule by which the `resource` in a resource's metadata has to match the URL of the resource.
///
/// In both cases escaped paths are compared as they are: `/a%2Fb` is not `/a/b`.
///
/// [RFC 9728 section 3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceMatch {
    /// The same origin, and a path that is the URL's own or one of its parents, as many servers
    /// have one identifier for several URLs.
    #[default]
    Prefix,
    /// The same URL, as the RFC demands.
    Identical,
}

impl ResourceMatch {
    /// Whether metadata with this `resource` are those of the resource at `url`.
    pub(crate) fn permits(self, resource: &str, url: &Url) -> bool {
        let Ok(resource) = Url::parse(resource) else {
            return false;
        };
        let has_user = !resource.username().is_empty() || resource.password().is_some();
        if resource.origin() != url.origin() || resource.fragment().is_some() || has_user {
            return false;
        }
        // The query of a request is not a part of the resource that it is sent to, but that of an
        // identifier is.
        let same_query = resource.query().is_none() || resource.query() == url.query();
        let (of, own) = (with_slash(resource.path()), with_slash(url.path()));
        same_query
            && match self {
                Self::Prefix => own.starts_with(&of),
                Self::Identical => own == of,
            }
    }
}

/// The path with a slash at its end, so that a prefix ends at a segment.
fn with_slash(path: &str) -> String {
    format!("{}/", path.strip_suffix('/').unwrap_or(path))
}

/// The identifier of the resource at `url`, for a server that publishes none: without fragment,
/// query and user name, and without the slash of a bare origin. Scheme and host are in lower case
/// by then, and a default port is left out.
pub(crate) fn canonical(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.set_query(None);
    // They fail if a URL cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let is_bare = url.path() == "/";
    let mut text = String::from(url);
    if is_bare {
        text.pop();
    }
    text
}

/// The origin of `url`, as an issuer identifier.
pub(crate) fn origin(url: &Url) -> String {
    let mut url = url.clone();
    url.set_path("/");
    canonical(&url)
}

/// The places where the metadata of the resource at `url` may be, in this order: for its path, and
/// for its origin.
///
/// [RFC 9728 section 3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1)
pub(crate) fn well_known_urls(url: &Url) -> Vec<Url> {
    let with_path = |path: &str| {
        let mut place = url.clone();
        place.set_query(None);
        place.set_fragment(None);
        let _ = place.set_username("");
        let _ = place.set_password(None);
        place.set_path(path);
        place
    };
    // "any terminating slash (/) following the host component MUST be removed"
    match url.path() {
        "/" | "" => vec![with_path(WELL_KNOWN)],
        path => vec![
            with_path(&format!("{WELL_KNOWN}{path}")),
            with_path(WELL_KNOWN),
        ],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    fn matches(resource: &str, of: &str) -> [bool; 2] {
        [ResourceMatch::Prefix, ResourceMatch::Identical]
            .map(|rule| rule.permits(resource, &url(of)))
    }

    #[test]
    fn identical_or_a_prefix_at_a_segment_boundary() {
        for (resource, of) in [
            ("https://api.example/a", "https://api.example/a"),
            ("https://api.example/a/", "https://api.example/a"),
            ("https://api.example", "https://api.example/"),
            ("HTTPS://API.example:443/a", "https://api.example/a"),
            ("https://api.example/a%2Fb", "https://api.example/a%2Fb"),
            ("https://api.example/a", "https://api.example/a?page=1#top"),
        ] {
            assert_eq!(matches(resource, of), [true, true], "{resource} {of}");
        }
        for (resource, of) in [
            ("https://api.example", "https://api.example/a"),
            ("https://api.example/a", "https://api.example/a/b"),
            ("https://api.example/a/", "https://api.example/a/b"),
        ] {
            assert_eq!(matches(resource, of), [true, false], "{resource} {of}");
        }
    }

    #[test]
    fn another_resource_is_refused() {
        for (resource, of) in [
            ("https://evil.example/a", "https://api.example/a"),
            ("http://api.example/a", "https://api.example/a"),
            ("https://api.example:444/a", "https://api.example/a"),
            (
                "https://api.example.evil.example/a",
                "https://api.example/a",
            ),
            (
                "https://api.example@evil.example/a",
                "https://api.example/a",
            ),
            ("https://user@api.example/a", "https://api.example/a"),
            ("https://api.example/a", "https://api.example/ab"),
            ("https://api.example/a/b", "https://api.example/a"),
            ("https://api.example/a/b", "https://api.example/a%2Fb"),
            ("https://api.example/a%2Fb", "https://api.example/a/b"),
            ("https://api.example/a/../b", "https://api.example/a"),
            ("https://api.example/a#", "https://api.example/a"),
            ("https://api.example/a?tenant=1", "https://api.example/a"),
            ("/a", "https://api.example/a"),
            ("", "https://api.example/a"),
            ("urn:api", "https://api.example/a"),
            ("data:,x", "data:,x"),
        ] {
            assert_eq!(matches(resource, of), [false, false], "{resource} {of}");
        }
    }

    #[test]
    fn the_canonical_identifier_has_no_more_than_it_needs() {
        for (given, canonical_text) in [
            ("HTTPS://MCP.Example:443/", "https://mcp.example"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://mcp.example/mcp", "https://mcp.example/mcp"),
            ("https://mcp.example/mcp/", "https://mcp.example/mcp/"),
            ("https://mcp.example/mcp?key=s#x", "https://mcp.example/mcp"),
            ("https://a:b@mcp.example/mcp", "https://mcp.example/mcp"),
        ] {
            assert_eq!(canonical(&url(given)), canonical_text);
        }
        assert_eq!(
            origin(&url("https://mcp.example/mcp?x")),
            "https://mcp.example"
        );
    }

    #[test]
    fn the_path_comes_before_the_origin() {
        let places = |of: &str| -> Vec<String> {
            well_known_urls(&url(of))
                .into_iter()
                .map(Url::into)
                .collect()
        };
        assert_eq!(
            places("https://mcp.example/a%2Fb/c?key=s"),
            [
                "https://mcp.example/.well-known/oauth-protected-resource/a%2Fb/c",
                "https://mcp.example/.well-known/oauth-protected-resource",
            ]
        );
        for bare in ["https://mcp.example", "https://mcp.example/"] {
            assert_eq!(
                places(bare),
                ["https://mcp.example/.well-known/oauth-protected-resource"]
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_of_a_stranger_stays_within_the_origin(text in "\\PC*", path in "[a-z/%.]{0,20}") {
            let of = url("https://api.example/a/b");
            for resource in [text, format!("https://api.example/{path}"), format!("//api.example{path}")] {
                for rule in [ResourceMatch::Prefix, ResourceMatch::Identical] {
                    if rule.permits(&resource, &of) {
                        let resource = url(&resource);
                        prop_assert_eq!(resource.origin(), of.origin());
                        let path = resource.path();
                        prop_assert!(["/", "/a", "/a/", "/a/b", "/a/b/"].contains(&path), "{}", path);
                    }
                }
            }
        }
    }
}

//! Issuers with a tenant in their identifier, as Microsoft Entra ID has them.
//!
//! [Microsoft identity platform](https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer)

/// Place of the tenant in the `issuer` of metadata that serve several tenants.
pub(crate) const TENANT: &str = "{tenantid}";

/// Tenants whose tokens are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tenants {
    /// The issuer has no tenants.
    #[default]
    None,
    These(Vec<String>),
    Any,
}

impl Tenants {
    /// Whether tokens of this tenant are accepted.
    pub(crate) fn has(&self, tenant: &str) -> bool {
        match self {
            Self::None => false,
            Self::These(tenants) => tenants.iter().any(|one| one.eq_ignore_ascii_case(tenant)),
            Self::Any => true,
        }
    }
}

/// Issuer that is expected: of metadata, of tokens, of callbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedIssuer {
    pub(crate) issuer: String,
    pub(crate) tenants: Tenants,
    /// Whether a protected resource names it.
    pub(crate) is_of_resource: bool,
}

impl ExpectedIssuer {
    /// Whether the `issuer` of metadata is the expected one, verbatim, or a template for its
    /// tenants. Resources name an origin with and without its `/`, which leads to the same metadata.
    pub(crate) fn is_in_metadata(&self, issuer: &str) -> bool {
        let is_expected = match self.is_of_resource {
            true => is_one_issuer(issuer, &self.issuer),
            false => issuer == self.issuer,
        };
        let Some(parts) = issuer.split_once(TENANT) else {
            return is_expected;
        };
        // As no server accepts a template as an audience, client assertions are then for the token
        // endpoint that the metadata name, which may be another server's: the server is to be one
        // that is known to have tenants.
        if self.tenants == Tenants::None {
            return false;
        }
        // The document of `…/common/v2.0` names `…/{tenantid}/v2.0`.
        let between = between(parts, &self.issuer);
        is_expected || between.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
    }
}

/// The issuer identifier, unless it is a template for those of tenants, which no server accepts as
/// the audience of what a client signs.
pub(crate) fn one_issuer(issuer: Option<&str>) -> Option<&str> {
    issuer.filter(|issuer| !issuer.contains(TENANT))
}

/// Whether both identify one issuer: verbatim, but for the `/` after an origin, which is the same URL
/// without it.
pub(crate) fn is_one_issuer(one: &str, other: &str) -> bool {
    let [one_origin, other_origin] =
        [one, other].map(|issuer| issuer.strip_suffix('/').unwrap_or(issuer));
    let is_origin = || {
        let host = one_origin.split_once("://").map(|(_, host)| host);
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#']))
    };
    one == other || (one_origin == other_origin && is_origin())
}

/// Whether `iss` of a callback is the `issuer` of the server, or that of one of its tenants.
pub(crate) fn is_in_callback(issuer: &str, iss: &str) -> bool {
    match issuer.split_once(TENANT) {
        None => issuer == iss,
        Some(parts) => between(parts, iss).is_some_and(is_guid),
    }
}

/// The text between the two parts of a template.
fn between<'a>((before, after): (&str, &str), text: &'a str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";
    const TENANT_ID: &str = "11111111-2222-3333-4444-55555555555a";

    fn issuer(tenants: Tenants) -> ExpectedIssuer {
        ExpectedIssuer {
            issuer: "https://login.example/common/v2.0".to_owned(),
            tenants,
            is_of_resource: false,
        }
    }

    #[test]
    fn a_template_stands_for_tenants_alone() {
        let any = issuer(Tenants::Any);
        assert!(any.is_in_metadata(TEMPLATE));
        assert!(any.is_in_metadata("https://login.example/common/v2.0"));
        assert!(!issuer(Tenants::None).is_in_metadata(TEMPLATE));
        let template = |tenants| ExpectedIssuer {
            issuer: TEMPLATE.to_owned(),
            tenants,
            is_of_resource: true,
        };
        assert!(template(Tenants::Any).is_in_metadata(TEMPLATE));
        assert!(!template(Tenants::None).is_in_metadata(TEMPLATE));
        for other in [
            "https://evil.example/{tenantid}/v2.0",
            "https://login.example/{tenantid}/v1.0",
            "{tenantid}",
            "https://login.example/common/v2.0{tenantid}",
            "https://{tenantid}/v2.0",
            "https://login.example/common/v2.0/",
        ] {
            assert!(!any.is_in_metadata(other), "{other}");
        }
    }

    #[test]
    fn an_origin_that_a_resource_names_may_have_its_slash_or_not() {
        let named = |issuer: &str, is_of_resource| ExpectedIssuer {
            issuer: issuer.to_owned(),
            tenants: Tenants::None,
            is_of_resource,
        };
        for [one, other] in [
            ["https://id.example", "https://id.example/"],
            ["https://id.example:8443/", "https://id.example:8443"],
        ] {
            assert!(named(one, true).is_in_metadata(other), "{one}");
            assert!(!named(one, false).is_in_metadata(other), "{one}");
        }
        for [one, other] in [
            ["https://id.example/a", "https://id.example/a/"],
            ["https://id.example", "https://id.example//"],
            ["https://id.example/", "https://id.example//"],
            ["https://id.example", "https://id.example.evil/"],
            ["https://id.example", "http://id.example/"],
            ["https://id.example?a", "https://id.example?a/"],
            ["https://", "https:///"],
            ["", "/"],
        ] {
            assert!(!named(one, true).is_in_metadata(other), "{one}");
            assert!(!named(other, true).is_in_metadata(one), "{other}");
        }
    }

    #[test]
    fn the_issuer_of_a_callback_may_be_a_tenant() {
        let iss = format!("https://login.example/{TENANT_ID}/v2.0");
        assert!(is_in_callback(TEMPLATE, &iss));
        assert!(is_in_callback("https://id.example", "https://id.example"));
        for (issuer, iss) in [
            (TEMPLATE, TEMPLATE),
            (TEMPLATE, "https://login.example/common/v2.0"),
            (
                TEMPLATE,
                "https://evil.example/11111111-2222-3333-4444-555555555555/v2.0",
            ),
            ("https://id.example", "https://id.example/"),
        ] {
            assert!(!is_in_callback(issuer, iss), "{iss}");
        }
    }
}

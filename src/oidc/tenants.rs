//! Issuers with a placeholder for the tenant, as Microsoft Entra ID has.

use crate::{
    jose::Claims,
    oauth2::server::tenants::{TENANT as PLACEHOLDER, Tenants},
};

pub(super) fn is_template(issuer: &str) -> bool {
    issuer.contains(PLACEHOLDER)
}

/// Whether the issuer of `claims` is the template with a tenant that is accepted.
pub(super) fn is_of_tenant(claims: &Claims, template: &str, tenants: &Tenants) -> bool {
    let Some(tenant) = tenant(claims) else {
        return false;
    };
    tenants.has(tenant) && claims.issuer() == Some(&*template.replace(PLACEHOLDER, tenant))
}

/// Whether a key that names its `issuer` may sign `claims`.
pub(super) fn may_sign(key_issuer: &str, claims: &Claims) -> bool {
    let issuer = match tenant(claims) {
        Some(tenant) => key_issuer.replace(PLACEHOLDER, tenant),
        None => key_issuer.to_owned(),
    };
    claims.issuer() == Some(&*issuer)
}

/// The claim `tid`, if it is a GUID, which cannot change the meaning of a URL.
fn tenant(claims: &Claims) -> Option<&str> {
    let tenant = claims.get("tid")?.as_str()?;
    let lengths = tenant.split('-').map(str::len);
    let is_hex = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    (lengths.eq([8, 4, 4, 4, 12]) && tenant.bytes().all(is_hex)).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "https://login.example/{tenantid}/v2.0";
    const TENANT: &str = "9122040d-6c67-4c5b-b112-36a304b66dad";

    fn claims(tenant: &str, issuer: &str) -> Claims {
        Claims::new().with_issuer(issuer).with("tid", tenant)
    }

    #[test]
    fn a_tenant_that_is_listed() {
        let issuer = TEMPLATE.replace(PLACEHOLDER, TENANT);
        let listed = Tenants::These(vec![TENANT.to_uppercase()]);
        for tenants in [listed, Tenants::Any] {
            assert!(is_of_tenant(&claims(TENANT, &issuer), TEMPLATE, &tenants));
        }
        assert!(may_sign(TEMPLATE, &claims(TENANT, &issuer)));
        assert!(may_sign(&issuer, &claims(TENANT, &issuer)));
    }

    #[test]
    fn another_tenant_or_another_text_is_refused() {
        let other = "11111111-2222-3333-4444-555555555555";
        let issuer = TEMPLATE.replace(PLACEHOLDER, TENANT);
        let refused = |claims: &Claims| {
            let listed = Tenants::These(vec![TENANT.to_owned()]);
            !is_of_tenant(claims, TEMPLATE, &listed)
        };
        assert!(refused(&claims(
            other,
            &TEMPLATE.replace(PLACEHOLDER, other)
        )));
        assert!(refused(&claims(other, &issuer)));
        assert!(refused(&claims(TENANT, TEMPLATE)));
        assert!(refused(&Claims::new().with_issuer(&*issuer)));
        let by_default = is_of_tenant(&claims(TENANT, &issuer), TEMPLATE, &Tenants::None);
        assert!(!by_default);
        for text in ["common", "a/../b", "", "{tenantid}", &TENANT[1..]] {
            let claims = claims(text, &TEMPLATE.replace(PLACEHOLDER, text));
            assert!(!is_of_tenant(&claims, TEMPLATE, &Tenants::Any), "{text}");
        }
        assert!(!may_sign(
            &TEMPLATE.replace(PLACEHOLDER, other),
            &claims(TENANT, &issuer)
        ));
        assert!(!may_sign(TEMPLATE, &claims("common", &issuer)));
    }
}

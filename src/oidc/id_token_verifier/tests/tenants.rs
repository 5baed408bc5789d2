//! Keys of an issuer that stands for many tenants.

use super::*;

#[test]
fn a_key_signs_for_its_own_tenant_alone() {
    let template = "https://id.example/{tenantid}/v2.0";
    let [tenant, other] = [
        "9122040d-6c67-4c5b-b112-36a304b66dad",
        "11111111-2222-3333-4444-555555555555",
    ];
    let issuer_of = |tenant: &str| template.replace("{tenantid}", tenant);
    let rules = IdTokenRules::new().any_tenant();
    let server = server().with_issuer(template);
    let verifier = IdTokenVerifier::new(&server, &ClientRegistration::new("me"));
    let verifier = verifier.expect("an issuer").rules(rules).clock(clock());
    let claims = with(json!({"iss": issuer_of(tenant), "tid": tenant}));
    for (key_issuer, is_accepted) in [
        (None, true),
        (Some(template.to_owned()), true),
        (Some(issuer_of(tenant)), true),
        (Some(issuer_of(other)), false),
        (Some(String::new()), false),
    ] {
        let public = key().public_jwk().expect("a public key");
        let mut jwk = serde_json::to_value(public).expect("JSON");
        if let Some(issuer) = key_issuer {
            jwk["issuer"] = issuer.into();
        }
        let keys: JwkSet = serde_json::from_value(json!({"keys": [jwk]})).expect("a set");
        let jwt = signed(&claims);
        let jws = verifier.parse(&jwt).expect("a JWS");
        let signed = verifier.signed_claims(&jws, &keys);
        assert_eq!(signed.is_ok(), is_accepted, "{keys:?}");
    }
}

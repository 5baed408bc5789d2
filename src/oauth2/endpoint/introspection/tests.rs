use serde_json::json;

use super::*;

fn read(members: Value) -> Result<Introspection, String> {
    Introspection::from_members(members.as_object().expect("an object").clone())
}

#[test]
fn the_example_of_section_2_2() {
    let introspection = read(json!({
        "active": true, "client_id": "l238j323ds-23ij4", "username": "jdoe",
        "scope": "read write dolphin", "sub": "Z5O3upPC88QrAjx00dis",
        "aud": "https://protected.example.net/resource",
        "iss": "https://server.example.com/", "exp": 1_419_356_238, "iat": 1_419_350_238,
        "extension_field": "twenty-seven"
    }))
    .expect("an introspection");
    assert!(introspection.is_active());
    assert_eq!(introspection.client_id(), Some("l238j323ds-23ij4"));
    assert_eq!(introspection.username(), Some("jdoe"));
    assert_eq!(
        introspection.audience(),
        ["https://protected.example.net/resource"]
    );
    let expires_at = UNIX_EPOCH + Duration::from_secs(1_419_356_238);
    assert_eq!(introspection.expires_at(), Some(expires_at));
    assert_eq!(introspection.not_before(), None);
    assert_eq!(
        introspection.get("extension_field"),
        Some(&json!("twenty-seven"))
    );
}

#[test]
fn the_example_of_rfc_8705_section_3_2() {
    let bound = read(json!({
        "active": true, "iss": "https://server.example.com", "sub": "ty.webb@example.com",
        "exp": 1_493_726_400, "nbf": 1_493_722_800,
        "cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
    }));
    let thumbprint = bound.expect("an introspection");
    let thumbprint = thumbprint.certificate_thumbprint();
    assert_eq!(
        thumbprint,
        Some("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2")
    );
    for unbound in [
        json!({"active": true}),
        json!({"active": true, "cnf": null}),
        json!({"active": true, "cnf": "x5t#S256"}),
        json!({"active": true, "cnf": {"jkt": "a"}}),
        json!({"active": true, "cnf": {"x5t#S256": 7}}),
    ] {
        let unbound = read(unbound).expect("an introspection");
        assert_eq!(unbound.certificate_thumbprint(), None);
    }
}

#[test]
fn odd_answers() {
    assert!(
        !read(json!({"active": false}))
            .expect("an introspection")
            .is_active()
    );
    for bad in [json!({}), json!({"active": "true"}), json!({"active": 1})] {
        assert!(read(bad).is_err());
    }
    let odd = read(json!({"active": true, "exp": "?", "aud": ["a", 1], "scope": 7}));
    let odd = odd.expect("an introspection");
    assert_eq!(
        (odd.expires_at(), odd.audience(), odd.scope()),
        (None, vec!["a"], None)
    );
    for (exp, seconds) in [
        (json!(1_419_356_238.5), 1_419_356_238),
        (json!("1419356238"), 1_419_356_238),
        (json!(u64::MAX), 253_402_300_799),
    ] {
        let introspection = read(json!({"active": true, "exp": exp}));
        assert_eq!(
            introspection.expect("an introspection").expires_at(),
            Some(UNIX_EPOCH + Duration::from_secs(seconds))
        );
    }
}

#[test]
fn debug_tells_no_values_of_other_members() {
    let introspection = read(json!({"active": true, "secret": "hunter2"}));
    assert_eq!(
        format!("{:?}", introspection.expect("an introspection")),
        "Introspection { active: true, scope: None, client_id: None, \
         members: [\"active\", \"secret\"] }"
    );
}

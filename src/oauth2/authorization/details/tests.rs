use serde_json::json;

use super::*;

/// The example of RFC 9396 section 2, of two types.
#[test]
fn the_example_of_section_2() {
    let details = AuthorizationDetails::from([
        AuthorizationDetail::new("account_information")
            .actions(["list_accounts", "read_balances", "read_transactions"])
            .locations(["https://example.com/accounts"]),
        AuthorizationDetail::new("payment_initiation")
            .actions(["initiate", "status", "cancel"])
            .locations(["https://example.com/payments"])
            .with(
                "instructedAmount",
                json!({"currency": "EUR", "amount": "123.50"}),
            )
            .with("creditorName", "Merchant A")
            .with("creditorAccount", json!({"iban": "DE02100100109307118603"}))
            .with("remittanceInformationUnstructured", "Ref Number Merchant"),
    ]);
    let expected = json!([
        {
            "type": "account_information",
            "actions": ["list_accounts", "read_balances", "read_transactions"],
            "locations": ["https://example.com/accounts"]
        },
        {
            "type": "payment_initiation",
            "actions": ["initiate", "status", "cancel"],
            "locations": ["https://example.com/payments"],
            "instructedAmount": {"currency": "EUR", "amount": "123.50"},
            "creditorName": "Merchant A",
            "creditorAccount": {"iban": "DE02100100109307118603"},
            "remittanceInformationUnstructured": "Ref Number Merchant"
        }
    ]);
    assert_eq!(serde_json::to_value(&details).expect("JSON"), expected);
    let sent: Value = serde_json::from_str(Secret::from(details).expose_secret()).expect("JSON");
    assert_eq!(sent, expected);
}

/// The token response of RFC 9396 section 7.
#[test]
fn the_example_of_section_7() {
    let token: Token = serde_json::from_value(json!({
        "access_token": "2YotnFZFEjr1zCsicMWpAA",
        "token_type": "example",
        "expires_in": 3600,
        "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
        "authorization_details": [
            {
                "type": "payment_initiation",
                "actions": ["initiate", "status", "cancel"],
                "locations": ["https://example.com/payments"],
                "instructedAmount": {"currency": "EUR", "amount": "123.50"}
            }
        ]
    }))
    .expect("a token");
    let granted = token.authorization_details().expect("details");
    assert_eq!((granted.len(), granted.is_empty()), (1, false));
    let detail = granted.iter().next().expect("one");
    assert_eq!(detail.detail_type(), "payment_initiation");
    assert_eq!(detail.list("locations"), ["https://example.com/payments"]);
    assert_eq!(
        detail.get("instructedAmount").expect("it")["amount"],
        "123.50"
    );
}

#[test]
fn the_common_members() {
    let detail = AuthorizationDetail::new("a")
        .datatypes(["contacts"])
        .identifier("7")
        .privileges(["admin"]);
    assert_eq!(
        serde_json::to_value(&detail).expect("JSON"),
        json!({"type": "a", "datatypes": ["contacts"], "identifier": "7", "privileges": ["admin"]})
    );
    assert!(detail.list("identifier").is_empty());
}

#[test]
fn what_is_no_list_of_typed_objects_is_not_read() {
    for bad in [
        json!("x"),
        json!({}),
        json!([{}]),
        json!([{"type": 7}]),
        json!([7]),
        json!(null),
    ] {
        let token: Token =
            serde_json::from_value(json!({"access_token": "a", "authorization_details": bad}))
                .expect("a token");
        assert_eq!(token.authorization_details(), None, "{bad}");
    }
    let token: Token = serde_json::from_value(json!({"access_token": "a"})).expect("a token");
    assert_eq!(token.authorization_details(), None);
}

/// They may say whose account it is.
#[test]
fn debug_tells_types_and_names_only() {
    let payment = AuthorizationDetail::new("payment").with("iban", "DE02100100109307118603");
    assert_eq!(
        format!("{:?}", AuthorizationDetails::from([payment])),
        "AuthorizationDetails([AuthorizationDetail { type: \"payment\", members: [\"iban\", \
         \"type\"] }])"
    );
}

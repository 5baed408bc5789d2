//! Rich authorization requests.

use oauth_twin::oauth2::{
    AuthorizationCode, AuthorizationDetail, AuthorizationDetails, RefreshToken,
};

use super::{super::test, *};

fn payment() -> AuthorizationDetail {
    AuthorizationDetail::new("payment_initiation")
        .actions(["initiate", "status"])
        .with(
            "instructedAmount",
            json!({"currency": "EUR", "amount": "123.50"}),
        )
}

/// A server that grants less than is asked for, and answers a refresh with the details that it is
/// sent, if any.
fn granting() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answer = tokens(n, 600);
        let sent = request.parameter("authorization_details");
        let is_refresh = request.parameter("grant_type").as_deref() == Some("refresh_token");
        match sent {
            Some(sent) => {
                answer["authorization_details"] = serde_json::from_str(&sent).expect("JSON")
            }
            None if is_refresh => {}
            None => {
                answer["authorization_details"] =
                    json!([{"type": "payment_initiation", "actions": ["status"], "id": 7}]);
            }
        }
        Reply::json(200, answer)
    })
}

#[maybe_async]
#[test]
async fn what_is_asked_for_is_one_parameter_in_json() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = AuthorizationRequest::new()
        .authorization_details([payment(), AuthorizationDetail::new("accounts")]);
    let url = client.begin_authorization(request).await?.url;
    let (_, sent) = url
        .query_pairs()
        .find(|(name, _)| name == "authorization_details")
        .expect("the parameter");
    let sent: serde_json::Value = serde_json::from_str(&sent)?;
    assert_eq!(
        sent,
        json!([
            {"type": "payment_initiation", "actions": ["initiate", "status"],
             "instructedAmount": {"currency": "EUR", "amount": "123.50"}},
            {"type": "accounts"},
        ])
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_granted_is_kept_with_the_token_and_not_sent_again() -> TestResult {
    let server = granting();
    let client = builder(&server).build()?;
    let token = client.fetch_token(AuthorizationCode::new("c")).await?;
    let granted = token.authorization_details().expect("what was granted");
    let details: Vec<_> = granted.iter().collect();
    assert_eq!(details[0].detail_type(), "payment_initiation");
    assert_eq!(details[0].list("actions"), ["status"]);
    assert_eq!(details[0].get("id"), Some(&json!(7)));
    // Also in a token that was stored.
    let stored: Token = serde_json::from_str(&serde_json::to_string(&token)?)?;
    assert_eq!(stored.authorization_details(), Some(granted.clone()));

    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.authorization_details(), Some(granted));
    let refresh = &server.requests("/token")[1];
    assert_eq!(refresh.parameters("authorization_details"), [""; 0]);
    Ok(())
}

#[maybe_async]
#[test]
async fn details_are_sent_in_a_refresh_only_to_narrow() -> TestResult {
    let server = granting();
    let client = builder(&server).build()?;
    let less = AuthorizationDetails::from([AuthorizationDetail::new("status_only")]);
    let grant = AuthorizationCode::new("c").param("authorization_details", less.clone());
    let token = client.fetch_token(grant).await?;
    assert_eq!(token.authorization_details(), Some(less.clone()));
    client.refresh_token().await?;
    let refresh = &server.requests("/token")[1];
    assert_eq!(refresh.parameters("authorization_details"), [""; 0]);

    let narrower = AuthorizationDetails::from([AuthorizationDetail::new("nothing")]);
    let grant = RefreshToken::new("r2").param("authorization_details", narrower.clone());
    let token = client.exchange(grant).await?;
    assert_eq!(token.authorization_details(), Some(narrower));
    assert_eq!(
        server.requests("/token")[2]
            .parameter("authorization_details")
            .as_deref(),
        Some(r#"[{"type":"nothing"}]"#)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_does_not_know_is_refused_before_the_user_is_sent_away() -> TestResult {
    let provider = Provider::start();
    let types = json!({"authorization_details_types_supported": ["accounts"]});
    provider.lie(|lies| lies.metadata = types);
    let client = client_of(&provider).build()?;
    let none: [AuthorizationDetail; 0] = [];
    for (details, word) in [
        (
            AuthorizationDetails::from([payment()]),
            "payment_initiation",
        ),
        (AuthorizationDetails::from(none), "no element"),
        (
            AuthorizationDetails::from([AuthorizationDetail::new("")]),
            "type",
        ),
    ] {
        let request = AuthorizationRequest::new().authorization_details(details);
        let error = client.begin_authorization(request).await.expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(word), "{error}");
    }
    let known = [AuthorizationDetail::new("accounts")];
    let request = AuthorizationRequest::new().authorization_details(known);
    client.begin_authorization(request).await?;
    Ok(())
}

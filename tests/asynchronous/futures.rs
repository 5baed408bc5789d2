//! The size of what a caller's own future holds while it waits: it is copied with each `spawn`, and
//! held by each of ten thousand tasks.

use oauth_twin::Token;

use crate::mode::OAuth2Client;

#[test]
fn the_futures_of_requests_are_small() {
    let client = OAuth2Client::builder("id")
        .token(Token::new("t").with_refresh_token("r"))
        .token_endpoint("https://id.example/token")
        .build()
        .expect("a client");
    let send = client.get("https://api.example").send();
    let header = client.authorization_header();
    let token = client.ensure_active_token();
    let sizes = [
        size_of_val(&send),
        size_of_val(&header),
        size_of_val(&token),
    ];
    let goals = [128, 128, 128];
    assert!(
        sizes.iter().zip(goals).all(|(size, goal)| *size <= goal),
        "{sizes:?} bytes, the goals are {goals:?}"
    );
}

//! No secret comes out: neither in what is printed nor in any error.

use std::{error::Error as _, time::Duration};

use oauth_twin::{Error, oauth2::RefreshToken};

use super::{test, *};

/// Planted in every place where a secret can stand.
const SECRET: &str = "xK9-s3cret";

/// Everything that an error can be made to say.
fn all_words(error: &Error) -> String {
    let mut words = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(" {error} {error:?}");
        source = error.source();
    }
    words += &format!("{:?}", error.response());
    words
}

#[maybe_async]
#[test]
async fn no_error_tells_a_secret() -> TestResult {
    let token = || Token::new(SECRET).with_refresh_token(format!("{SECRET}-refresh"));
    let bodies = [
        Reply::json(
            400,
            json!({"error": SECRET, "error_description": format!("no {SECRET}-refresh"), "error_uri": SECRET}),
        ),
        Reply::text(500, SECRET),
        Reply::text(200, SECRET),
        Reply::text(200, format!("{{\"access_token\": {{\"{SECRET}\": 1}}}}")),
        Reply::text(
            200,
            format!("{{\"access_token\": \"{SECRET}\", \"access_token\": \"{SECRET}\"}}"),
        ),
        Reply::text(200, format!("{{\"access_token\": \"{SECRET}")),
        Reply::text(302, SECRET).with(
            "location",
            &format!("http://{SECRET}.example/?code={SECRET}"),
        ),
        Reply::text(200, ""),
        Reply::raw(|_| Ok(())),
    ];
    for reply in bodies {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::start(move |_: &Request| {
            reply
                .lock()
                .unwrap()
                .take()
                .unwrap_or_else(|| Reply::text(404, SECRET))
        });
        let client = OAuth2Client::builder("id")
            .client_secret(SECRET)
            .token_endpoint(server.url(&format!("/token?key={SECRET}")))
            .token(token())
            .timeout(Duration::from_secs(20))
            .build()?;
        let error = client.refresh_token().await.unwrap_err();
        assert!(!all_words(&error).contains(SECRET), "{}", all_words(&error));
        assert!(!format!("{client:?} {client:#?}").contains(SECRET));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn no_error_of_a_request_tells_its_url() -> TestResult {
    // A port at which nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let client = OAuth2Client::builder("id")
        .token(Token::new(SECRET))
        .token_endpoint(format!("http://{closed}/?key={SECRET}"))
        .build()?;
    let errors = [
        client
            .get(format!("http://{closed}/?code={SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .get(format!("http://a.example/?code={SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .get(format!("no url {SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .exchange(RefreshToken::new(SECRET))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(!all_words(&error).contains(SECRET), "{}", all_words(&error));
    }
    Ok(())
}

//! Redirects: the token goes to the origin that it was meant for and nowhere else.

use std::{error::Error as _, fmt::Write as _};

use oauth_twin::{ErrorKind, reqwest::Url};

use super::{test, *};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// A server that redirects from `/to` as its query tells, answers `/401` with that, and all else
/// with the token that it got.
fn site() -> Server {
    Server::start(|request: &Request| match &*request.path {
        "/to" => {
            let query = url::form_urlencoded::parse(request.query.as_bytes());
            let [mut status, mut location] = [const { String::new() }; 2];
            for (name, value) in query {
                match &*name {
                    "status" => status = value.into_owned(),
                    _ => location = value.into_owned(),
                }
            }
            Reply::text(status.parse().expect("a status"), "moved").with("location", &location)
        }
        "/401" => Reply::text(401, "").with("www-authenticate", "Bearer error=\"invalid_token\""),
        _ => Reply::authorization_of(request),
    })
}

/// URL at which `server` redirects to `location`.
fn from(server: &Server, status: u16, location: &str) -> String {
    let status = status.to_string();
    let query = [("status", &*status), ("location", location)];
    let url = Url::parse_with_params(&server.url("/to"), query);
    url.expect("a URL").into()
}

fn client() -> OAuth2Client {
    let client = OAuth2Client::builder("id").token(Token::new("planted"));
    client.build().expect("a client")
}

/// A client that finds `plain` under another name than loopback's, and a URL there.
fn with_plain_example(plain: &Server) -> (OAuth2ClientBuilder, String) {
    let address = plain.address();
    let client = OAuth2Client::builder("id")
        .token(Token::new("planted"))
        .configure_http(move |http| http.resolve("plain.example", address));
    let end = format!("http://plain.example:{}/end", address.port());
    (client, end)
}

/// The token that the last hop from `url` on gets.
#[maybe_async]
async fn reached(client: &OAuth2Client, url: String) -> oauth_twin::Result<String> {
    let response = client.get(url).send().await?;
    assert_eq!(response.status(), 200);
    Ok(response.text().await?)
}

/// All requests that `server` has got.
fn all(server: &Server) -> Vec<Request> {
    ["/to", "/end", "/401"]
        .map(|path| server.requests(path))
        .concat()
}

#[maybe_async]
#[test]
async fn within_the_origin_the_token_stays() -> TestResult {
    let server = site();
    let client = client();
    for status in STATUSES {
        for end in ["/end", "end", &server.url("/end")] {
            let token = reached(&client, from(&server, status, end)).await?;
            assert_eq!(token, "Bearer planted", "{status} {end}");
        }
        let twice = from(&server, status, &from(&server, status, "/end"));
        let token = reached(&client, twice).await?;
        assert_eq!(token, "Bearer planted");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_body_is_sent_again_within_the_origin_where_the_status_says_so() -> TestResult {
    let server = site();
    let client = client();
    for status in [307, 308] {
        let url = from(&server, status, "/end");
        let response = client.post(url).body("payload").send().await?;
        let token = response.text().await?;
        assert_eq!(token, "Bearer planted");
    }
    for request in server.requests("/end") {
        assert_eq!(
            (&*request.method, &*request.body),
            ("POST", &b"payload"[..])
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn to_another_origin_no_token_goes() -> TestResult {
    let (server, other) = (site(), site());
    let client = client();
    // Another port is another origin, and so is another name of the same machine.
    let renamed = other.url("/end").replace("127.0.0.1", "localhost");
    for status in STATUSES {
        for end in [other.url("/end"), renamed.clone()] {
            let token = reached(&client, from(&server, status, &end)).await?;
            assert_eq!(token, "", "{status} {end}");
        }
        let response = client.post(from(&server, status, &renamed)).send().await?;
        let token = response.text().await?;
        assert_eq!(token, "");
    }
    assert_eq!(server.count("/to"), 3 * STATUSES.len());
    Ok(())
}

/// Not at the first stop there, and not at the second, which is within that origin.
#[maybe_async]
#[test]
async fn no_hop_after_another_origin_gets_the_token() -> TestResult {
    let (server, other, third) = (site(), site(), site());
    let client = client();
    for status in STATUSES {
        let end = other.url("/end");
        let inside = from(&other, status, "/end");
        for start in [
            from(&server, status, &inside),
            from(&server, status, &from(&other, status, &inside)),
            from(&server, status, &from(&server, status, &inside)),
            from(&server, status, &from(&third, status, &inside)),
            from(
                &server,
                status,
                &from(&third, status, &from(&third, status, &end)),
            ),
        ] {
            let response = client.get(start).send().await?;
            let met = response.status();
            assert!(met == status || met == 200, "{met}");
        }
    }
    for request in [all(&other), all(&third)].concat() {
        assert_eq!(request.header("authorization"), None, "{}", request.path);
    }
    Ok(())
}

/// reqwest would put the token back there, so the caller decides.
#[maybe_async]
#[test]
async fn a_redirect_within_another_origin_is_handed_to_the_caller() -> TestResult {
    let (server, other) = (site(), site());
    let client = client();
    for status in STATUSES {
        let inside = from(&other, status, "/end");
        let response = client.get(from(&server, status, &inside)).send().await?;
        assert_eq!(response.status(), status);
        assert_eq!(response.url().as_str(), inside);
        assert_eq!(response.headers()["location"], "/end");
    }
    assert_eq!(other.count("/end"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_redirect_back_to_the_origin_carries_no_token() -> TestResult {
    let (server, other) = (site(), site());
    let client = client();
    for status in STATUSES {
        let back = from(&other, status, &server.url("/end"));
        let token = reached(&client, from(&server, status, &back)).await?;
        assert_eq!(token, "", "{status}");
        // Nor does another server choose what the token is sent to.
        let chosen = from(&server, status, "/end?chosen");
        let start = from(&server, status, &from(&other, status, &chosen));
        let response = client.get(start).send().await?;
        assert_eq!(response.status(), status);
        assert_eq!(response.url().as_str(), chosen);
    }
    assert_eq!(server.count("/end"), STATUSES.len());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_redirect_to_plain_http_is_handed_to_the_caller() -> TestResult {
    let (server, plain) = (site(), site());
    // If it were followed, it would arrive.
    let (client, end) = with_plain_example(&plain);
    let client = client.build()?;
    for status in STATUSES {
        for start in [
            from(&server, status, &end),
            from(&server, status, &from(&server, status, &end)),
        ] {
            let response = client.get(start).send().await?;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["location"], *end);
            let text = response.text().await?;
            assert_eq!(text, "moved");
        }
    }
    assert_eq!(plain.connections(), 0);
    assert!(all(&plain).is_empty());
    Ok(())
}

#[maybe_async]
#[test]
async fn where_plain_http_is_allowed_it_is_followed_without_the_token() -> TestResult {
    let (server, plain) = (site(), site());
    let (client, end) = with_plain_example(&plain);
    let client = client.dangerous_allow_http().build()?;
    let token = reached(&client, from(&server, 302, &end)).await?;
    assert_eq!((&*token, plain.count("/end")), ("", 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_redirect_to_what_is_not_http_is_handed_to_the_caller() -> TestResult {
    let server = site();
    let client = client();
    for location in [
        "file:///etc/passwd",
        "ftp://localhost/x",
        "javascript:7",
        "http://",
    ] {
        let response = client.get(from(&server, 302, location)).send().await?;
        assert_eq!(response.status(), 302, "{location}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn no_referer_is_sent() -> TestResult {
    let (server, other) = (site(), site());
    let client = OAuth2Client::builder("id")
        .token(Token::new("planted"))
        // Not even if somebody wants it.
        .configure_http(|http| http.referer(true))
        .build()?;
    let there = from(&other, 302, &server.url("/end"));
    reached(&client, from(&server, 307, &there)).await?;
    reached(&client, from(&server, 302, "/end")).await?;
    for request in [all(&server), all(&other)].concat() {
        assert_eq!(request.header("referer"), None);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn ten_redirects_are_followed_and_no_more() -> TestResult {
    let server = site();
    let client = client();
    let chain = |length: usize| {
        let end = server.url("/end?planted");
        (0..length).fold(end, |next, _| from(&server, 302, &next))
    };
    let (ten, eleven) = (chain(10), chain(11));
    let token = reached(&client, ten).await?;
    assert_eq!(token, "Bearer planted");
    assert_eq!(server.count("/end"), 1);
    let sent = client.get(eleven).send().await;
    let error = sent.expect_err("too many");
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(!error.is_transient(), "it would lead there again");
    assert_eq!(server.count("/end"), 1);
    let mut told = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(told, " {cause} {cause:?}")?;
        source = cause.source();
    }
    assert!(!told.contains("planted"), "{told}");
    Ok(())
}

/// A server that never got the token cannot find it invalid.
#[maybe_async]
#[test]
async fn a_401_of_another_origin_does_not_renew() -> TestResult {
    let (server, other, issuer) = (site(), site(), provider(600));
    let token = Token::new("planted").with_refresh_token("r0");
    let client = builder(&issuer).token(token).build()?;
    for status in STATUSES {
        let url = from(&server, status, &other.url("/401"));
        let response = client.get(url).send().await?;
        assert_eq!(response.status(), 401);
    }
    assert_eq!(issuer.count("/token"), 0);
    assert_eq!(other.count("/401"), STATUSES.len());
    // Unlike one within the origin.
    let response = client.get(from(&server, 302, "/401")).send().await?;
    assert_eq!(response.status(), 401);
    assert_eq!(issuer.count("/token"), 1);
    Ok(())
}

/// Neither to another host nor to the next path: a request with a secret goes where it was meant
/// to go.
#[maybe_async]
#[test]
async fn the_token_endpoint_s_redirects_are_not_followed() -> TestResult {
    let other = provider(600);
    for status in STATUSES {
        for location in [other.url("/token"), "/end".to_owned()] {
            let server = site();
            let client = OAuth2Client::builder("id")
                .client_secret("planted")
                .token_endpoint(from(&server, status, &location))
                .grant(ClientCredentials::new())
                .configure_http(|http| {
                    http.redirect(oauth_twin::reqwest::redirect::Policy::limited(5))
                })
                .build()?;
            let sent = client.get(server.url("/end")).send().await;
            let error = sent.expect_err("a redirect");
            assert_eq!(error.kind(), ErrorKind::Answer, "{error:?}");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
            assert!(!error.outcome_unknown() && !error.is_transient());
            assert!(!format!("{error:?}").contains("planted"));
            assert_eq!((server.count("/to"), server.count("/end")), (1, 0));
        }
    }
    assert_eq!(other.count("/token"), 0);
    Ok(())
}

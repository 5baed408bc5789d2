//! The loopback receiver by itself.

use oauth_twin::oauth2::ResponseMode;
use support::provider::{Provider, SECRET};

use super::{super::test, *};

/// A pending login that returns to `loopback`.
fn begun(client: &OAuth2Client, loopback: &Loopback) -> AuthorizationUrl {
    let request = AuthorizationRequest::new().redirect_uri(loopback.redirect_uri());
    client.create_authorization_url(request).unwrap()
}

#[maybe_async]
#[test]
async fn an_answer_from_the_browser_completes_the_login() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    for uri in [
        "http://127.0.0.1/callback",
        "http://127.0.0.1",
        "http://localhost/a/b",
        "http://127.1/cb",
    ] {
        let loopback = Loopback::bind(uri)?;
        let redirect_uri = loopback.redirect_uri().to_owned();
        let AuthorizationUrl { url, pending } = begun(&client, &loopback);
        assert_eq!(asked(&url)["redirect_uri"], redirect_uri);
        let browser = std::thread::spawn(move || visited(&callback(&url, "c")));
        let callback = loopback.wait(&pending).await?;
        assert_eq!(browser.join().unwrap(), "200", "{uri}");
        let login = client
            .complete_authorization(pending, callback.expose_secret())
            .await?;
        assert!(access_token(&login.token).starts_with('t'));
        assert!(has_closed(&redirect_uri), "{uri}");
        let sent = server.requests("/token").pop().unwrap();
        assert_eq!(sent.parameter("redirect_uri"), Some(redirect_uri));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn nothing_but_the_answer_ends_the_wait() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let loopback = Loopback::bind("http://127.0.0.1/cb")?;
    let AuthorizationUrl { url, pending } = begun(&client, &loopback);
    let browser = std::thread::spawn(move || {
        let right = callback(&url, "right");
        let mut forged = right.clone();
        forged.set_query(Some("code=forged&state=forged"));
        let silent = TcpStream::connect(("127.0.0.1", right.port().unwrap())).unwrap();
        let target = &right[oauth_twin::url::Position::BeforePath..];
        let statuses = [
            visited(&right.join("/favicon.ico").unwrap()),
            visited(&forged),
            visited(&right.join("/cb").unwrap()),
            status(&loaded(
                &right,
                &format!("OPTIONS {target} HTTP/1.1"),
                "\r\n",
            )),
            status(&loaded(&right, &format!("HEAD {target} HTTP/1.1"), "\r\n")),
            status(&loaded(&right, "nonsense", "\r\n")),
            visited(&right),
        ];
        drop(silent);
        statuses
    });
    let answer = loopback.wait(&pending).await?;
    let statuses = browser.join().unwrap();
    assert_eq!(statuses, ["404", "400", "400", "204", "204", "400", "200"]);
    client
        .complete_authorization(pending, answer.expose_secret())
        .await?;
    let sent = &server.requests("/token")[0];
    assert_eq!(sent.parameter("code").as_deref(), Some("right"));
    Ok(())
}

/// As a scanner of links does, or a browser that fetches pages before they are shown.
#[maybe_async]
#[test]
async fn a_callback_that_is_loaded_twice_leads_to_the_page_of_the_end() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let loopback = Loopback::bind("http://127.0.0.1/cb")?;
    let AuthorizationUrl { url, pending } = begun(&client, &loopback);
    let browser = std::thread::spawn(move || {
        let page = callback(&url, "c");
        let mut forged = page.clone();
        forged.set_query(Some("code=forged&state=forged"));
        let target = &page[oauth_twin::url::Position::BeforePath..];
        let first = loaded(&page, &format!("GET {target} HTTP/1.1"), "\r\n");
        // The receiver has taken the answer by now.
        std::thread::sleep(Duration::from_millis(200));
        [status(&first), visited(&forged), visited(&page)]
    });
    let answer = loopback.wait(&pending).await?;
    assert_eq!(browser.join().unwrap(), ["303", "400", "200"]);
    let login = client
        .complete_authorization(pending, answer.expose_secret())
        .await;
    assert!(login.is_ok(), "{login:?}");
    Ok(())
}

fn status(reply: &str) -> String {
    reply.split(' ').nth(1).unwrap().to_owned()
}

#[maybe_async]
#[test]
async fn a_posted_form_is_an_answer_where_it_was_asked_for() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let loopback = Loopback::bind("http://127.0.0.1/cb")?
        .form_post()
        .page("<p>Own");
    let AuthorizationUrl { url, pending } = begun(&client, &loopback);
    let browser = std::thread::spawn(move || {
        let answer = callback(&url, "c");
        let form = answer.query().unwrap();
        let rest = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let redirect = loaded(&answer, "POST /cb HTTP/1.1", &rest);
        (redirect, loaded(&answer, "GET /cb HTTP/1.1", "\r\n"))
    });
    let answer = loopback.wait(&pending).await?;
    let (redirect, page) = browser.join().unwrap();
    assert!(redirect.contains("\r\nLocation: /cb\r\n"), "{redirect}");
    assert!(page.ends_with("<p>Own"), "{page}");
    client
        .complete_authorization(pending, answer.expose_secret())
        .await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_receiver_times_out_and_frees_its_port() -> TestResult {
    let server = provider(600);
    let client = command_line(&server).build()?;
    let loopback = Loopback::bind("http://127.0.0.1/cb")?.timeout(Duration::from_millis(100));
    let redirect_uri = loopback.redirect_uri().to_owned();
    let AuthorizationUrl { pending, .. } = begun(&client, &loopback);
    assert!(is_open(&redirect_uri));
    let error = loopback.wait(&pending).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.to_string().contains("timed out"), "{error}");
    assert!(has_closed(&redirect_uri));
    Ok(())
}

#[maybe_async]
#[test]
async fn an_address_that_cannot_be_bound_is_an_error_that_names_it() -> TestResult {
    for uri in [
        "https://app.example/cb",
        "http://10.0.0.1/cb",
        "https://localhost/cb",
        "cb",
    ] {
        let error = Loopback::bind(uri).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{uri}");
        assert!(error.to_string().contains("redirect_uri"), "{error}");
    }
    let first = Loopback::bind("http://localhost/cb")?;
    let error = Loopback::bind(first.redirect_uri()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(
        error.to_string().contains("another program has this port"),
        "{error}"
    );
    Ok(())
}

/// One that is for another login ends no wait.
#[maybe_async]
#[test]
async fn a_signed_response_is_told_by_the_state_in_it() -> TestResult {
    let provider = Provider::start();
    let client = OAuth2Client::builder("id")
        .client_secret(SECRET)
        .server(provider.metadata())
        .clock(provider.clock.clock())
        .build()?;
    let loopback = Loopback::bind("http://127.0.0.1/cb")?;
    let request = || {
        AuthorizationRequest::new()
            .redirect_uri(loopback.redirect_uri())
            .response_mode(ResponseMode::Jwt)
    };
    let other = provider.authorize(&client.create_authorization_url(request())?.url);
    let AuthorizationUrl { url, pending } = client.create_authorization_url(request())?;
    let right = provider.authorize(&url);
    let base = oauth_twin::url::Url::parse(loopback.redirect_uri())?;
    let browser = std::thread::spawn(move || {
        [other, right].map(|callback| {
            let mut visit = base.clone();
            visit.set_query(callback.split_once('?').map(|(_, query)| query));
            visited(&visit)
        })
    });
    let answer = loopback.wait(&pending).await?;
    assert_eq!(browser.join().unwrap(), ["400", "200"]);
    client
        .complete_authorization(pending, answer.expose_secret())
        .await?;
    Ok(())
}

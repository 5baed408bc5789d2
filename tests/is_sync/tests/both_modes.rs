//! `is_sync` is on in this build, and both clients work all the same.

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use oauth_twin::{AsyncOAuth2Client, OAuth2Client, oauth2::ClientCredentials};

type TestResult = Result<(), Box<dyn Error>>;

#[test]
fn the_toggle_is_on() {
    // It compiles only if the function is not async.
    let seven: u32 = is_sync::seven();
    assert_eq!(seven, 7);
}

#[test]
fn the_blocking_client_works() -> TestResult {
    let provider = provider()?;
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(format!("{provider}/token"))
        .grant(ClientCredentials::new())
        .build()?;
    let text = client.get(format!("{provider}/api")).send()?.text()?;
    assert_eq!(text, "Bearer t");
    client.close()?;
    Ok(())
}

#[test]
fn the_async_client_works() -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let provider = provider()?;
        let client = AsyncOAuth2Client::builder("id")
            .client_secret("secret")
            .token_endpoint(format!("{provider}/token"))
            .grant(ClientCredentials::new())
            .build()?;
        let response = client.get(format!("{provider}/api")).send().await?;
        assert_eq!(response.text().await?, "Bearer t");
        client.close().await?;
        Ok(())
    })
}

/// Answers `/token` with the token `t`, and all else with the `Authorization` header that it got.
fn provider() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.and_then(answer).expect("a request");
        }
    });
    Ok(url)
}

/// Reads one request and answers it.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = reader.by_ref().lines();
    let target = lines.next().expect("a request line")?;
    let (mut length, mut authorization) = (0, String::new());
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        match &*name.to_ascii_lowercase() {
            "content-length" => length = value.parse().expect("a length"),
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = match target.starts_with("POST /token ") {
        true => r#"{"access_token":"t","token_type":"Bearer","expires_in":600}"#.to_owned(),
        false => authorization,
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

//! Proxies of the environment: not for loopback, where a secret must not leave the machine.

use std::process::Command;

use super::{test, *};

/// Tells this program, when it runs itself, where to send.
const TARGET: &str = "OAUTH_TWIN_TEST_TARGET";

/// The inner program: it fetches a token and calls an API, both at `TARGET`.
#[maybe_async]
#[test]
async fn inner() -> TestResult {
    let Ok(target) = std::env::var(TARGET) else {
        return Ok(());
    };
    for configured in [false, true] {
        let mut builder = OAuth2Client::builder("id")
            .client_secret("secret")
            .token_endpoint(format!("{target}/token"))
            .grant(ClientCredentials::new())
            .dangerous_allow_http();
        if configured {
            builder = builder.configure_http(|http| http.user_agent("own"));
        }
        let client = builder.build()?;
        let text = client
            .get(format!("{target}/api"))
            .send()
            .await?
            .text()
            .await?;
        assert!(text.starts_with("Bearer t"), "{text}");
        let request = client.get(format!("{target}/api")).withhold_token();
        let response = request.send().await?;
        assert_eq!(response.status(), 200);
    }
    Ok(())
}

/// Runs `inner` with `proxy` in the environment.
fn run_inner(target: &str, proxy: &str, variable: &str) -> bool {
    let path = std::thread::current().name().map(str::to_owned);
    let path = path.expect("a test has a name");
    let (module, _) = path.rsplit_once("::").expect("a path");
    let mut inner = Command::new(std::env::current_exe().expect("this program"));
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        inner.env_remove(name).env_remove(name.to_uppercase());
    }
    inner
        .args([&format!("{module}::inner"), "--exact"])
        .env(TARGET, target)
        .env(variable, proxy);
    let output = inner.output().expect("a run");
    output.status.success()
}

#[maybe_async]
#[test]
async fn requests_to_loopback_bypass_the_proxy() {
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        let (server, proxy) = (provider(600), provider(600));
        let port = server
            .url("")
            .rsplit_once(':')
            .expect("a port")
            .1
            .to_owned();
        for host in ["127.0.0.1", "localhost"] {
            let target = format!("http://{host}:{port}");
            assert!(run_inner(&target, &proxy.url(""), variable), "{target}");
        }
        assert_eq!(server.count("/token"), 4);
        assert_eq!(proxy.requests_in_all(), 0, "{variable}");
    }
}

/// Without this the other test would hold if the environment were not looked at.
#[maybe_async]
#[test]
async fn what_goes_elsewhere_does() {
    // As a proxy gets the whole URL as its target, its path is not `/token`; `provider` answers
    // with the header it got, which is no token.
    let proxy = provider(600);
    assert!(!run_inner(
        "http://id.invalid",
        &proxy.url(""),
        "http_proxy"
    ));
    assert!(proxy.requests_in_all() > 0);
}

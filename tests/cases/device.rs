//! Logins on another device: the code that the user enters there, and the polls until then.

use std::sync::Mutex;

use oauth_twin::{
    Clock, ErrorCode, ErrorKind,
    jose::Algorithm,
    oauth2::{DeviceAuthorization, DeviceAuthorizationRequest},
    oidc::IdTokenRules,
};

use super::{test, *};

/// Factor by which the clock runs faster than the real one.
const FACTOR: u32 = 50;

/// A clock that runs faster, so that no test waits as long as a server tells it to.
#[derive(Clone)]
struct FastClock(Instant);

impl FastClock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn passed(&self) -> Duration {
        self.0.elapsed() * FACTOR
    }

    fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::from_fn(move || UNIX_EPOCH + seconds(1_700_000_000) + clock.passed())
    }
}

/// A server that answers the polls by turns, the last for ever, and knows when each came.
pub struct Polled {
    pub server: Server,
    clock: FastClock,
    times: Arc<Mutex<Vec<Duration>>>,
}

impl Polled {
    pub fn new(expires_in: u64, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let (clock, times) = (FastClock::new(), Arc::new(Mutex::new(Vec::new())));
        let (passed, log) = (clock.clone(), times.clone());
        let server = Server::start(move |request: &Request| match &*request.path {
            "/device" => Reply::json(
                200,
                json!({
                    "device_code": "d", "user_code": "WDJB-MJHT", "interval": 5,
                    "verification_uri": "https://id.example/device", "expires_in": expires_in,
                }),
            ),
            "/token" => {
                let mut times = log.lock().unwrap();
                times.push(passed.passed());
                answer(times.len())
            }
            _ => Reply::authorization_of(request),
        });
        Self {
            server,
            clock,
            times,
        }
    }

    pub fn builder(&self) -> OAuth2ClientBuilder {
        OAuth2Client::builder("id")
            .token_endpoint(self.server.url("/token"))
            .device_authorization_endpoint(self.server.url("/device"))
            .clock(self.clock.clock())
    }

    pub fn polls(&self) -> usize {
        self.server.count("/token")
    }

    /// The time before each poll, the first from `begun` on.
    fn gaps(&self, begun: Duration) -> Vec<Duration> {
        let times = self.times.lock().unwrap();
        let before = std::iter::once(&begun).chain(&*times);
        let gap = |(before, time): (&Duration, &Duration)| *time - *before;
        before.zip(&*times).map(gap).collect()
    }
}

pub fn pending() -> Reply {
    Reply::error(400, "authorization_pending")
}

#[maybe_async]
pub async fn begun(client: &OAuth2Client) -> DeviceAuthorization {
    let device = client
        .device_authorization(DeviceAuthorizationRequest::new())
        .await;
    device.expect("a device authorization")
}

#[maybe_async]
#[test]
async fn a_device_login_polls_until_it_has_a_token() -> TestResult {
    let polled = Polled::new(600, |n| match n {
        1 => pending(),
        _ => Reply::json(200, tokens(1, 600)),
    });
    let client = polled
        .builder()
        .scope("profile")
        .resource("urn:r")
        .build()?;
    let device = begun(&client).await;
    assert_eq!(device.user_code(), "WDJB-MJHT");
    assert_eq!(
        polled.server.forms("/device"),
        ["scope=profile&resource=urn%3Ar&client_id=id"]
    );
    // It may have been kept meanwhile.
    let device = serde_json::from_str(&serde_json::to_string(&device)?)?;
    let start = polled.clock.passed();
    let login = client.complete_device_authorization(device).await?;
    assert_eq!(access_token(&login.token), "t1");
    let poll = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d\
                &resource=urn%3Ar&client_id=id";
    assert_eq!(polled.server.forms("/token"), [poll, poll]);
    // Neither the first poll nor another comes too early.
    let gaps = polled.gaps(start);
    assert!(gaps.iter().all(|gap| *gap >= seconds(5)), "{gaps:?}");

    assert_eq!(client.token(), None);
    let answer = login.client.get(polled.server.url("/api")).send().await?;
    let text = answer.text().await?;
    assert_eq!(text, "Bearer t1");
    // A refresh repeats the parameters of the login.
    login.client.refresh_token().await?;
    let refresh = &polled.server.requests("/token")[2];
    assert_eq!(refresh.parameter("resource").as_deref(), Some("urn:r"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_is_busy_or_down_is_asked_again_later() -> TestResult {
    let polled = Polled::new(1800, |n| match n {
        1 => Reply::text(429, "").with("retry-after", "20"),
        2 => Reply::text(502, "<html>"),
        3 => Reply::raw(|_| Ok(())),
        4 => Reply::json(200, json!({"error": "slow_down", "interval": 6})),
        _ => Reply::json(200, tokens(1, 600)),
    });
    let client = polled.builder().build()?;
    let device = begun(&client).await;
    let start = polled.clock.passed();
    client.complete_device_authorization(device).await?;
    let gaps = polled.gaps(start);
    let least = [5, 20, 20, 40, 10].map(seconds);
    assert_eq!(gaps.len(), least.len(), "{gaps:?}");
    let is_late_enough = |(gap, least): (&Duration, &Duration)| gap >= least;
    assert!(gaps.iter().zip(&least).all(is_late_enough), "{gaps:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn polling_ends_when_the_code_expires() -> TestResult {
    let polled = Polled::new(120, |_| pending());
    let client = polled.builder().build()?;
    let device = begun(&client).await;
    let error = client
        .complete_device_authorization(device)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(polled.clock.passed() >= seconds(120));
    assert!((1..=23).contains(&polled.polls()), "{}", polled.polls());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refusal_ends_the_polling_under_any_name() -> TestResult {
    for code in ["access_denied", "authorization_declined"] {
        let polled = Polled::new(600, move |_| Reply::error(400, code));
        let client = polled.builder().build()?;
        let device = begun(&client).await;
        let error = client
            .complete_device_authorization(device)
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::AccessDenied), "{code}");
        assert_eq!(polled.polls(), 1);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn openid_without_an_id_token_is_no_login() -> TestResult {
    let polled = Polled::new(600, |_| Reply::json(200, tokens(1, 600)));
    let secret = "a secret of at least thirty-two bytes";
    let rules = IdTokenRules::new().algorithms([Algorithm::HS256]);
    let client = polled
        .builder()
        .issuer("https://id.example")
        .client_secret(secret)
        .id_token(rules)
        .scope("profile openid")
        .build()?;
    let device = begun(&client).await;
    assert!(device.is_openid());
    let device = serde_json::from_str(&serde_json::to_string(&device)?)?;
    let error = client
        .complete_device_authorization(device)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("ID token"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn keys_out_of_reach_cost_no_code_of_a_device() -> TestResult {
    let polled = Polled::new(600, |_| Reply::json(200, tokens(1, 600)));
    // Without an issuer, and with keys that are nowhere.
    for issuer in [None, Some("https://id.example")] {
        let mut builder = polled
            .builder()
            .jwks_uri(polled.server.url("/authorization"))
            .scope("openid");
        if let Some(issuer) = issuer {
            builder = builder.issuer(issuer);
        }
        let client = builder.build()?;
        let device = begun(&client).await;
        let outcome = client.complete_device_authorization(device).await;
        assert!(outcome.is_err());
        assert_eq!(polled.polls(), 0);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn callers_with_the_same_device_code_share_its_polls() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let polled = Polled::new(600, move |n| match n {
        1..=3 => pending(),
        4 => {
            held.wait();
            Reply::json(200, tokens(1, 600))
        }
        _ => Reply::error(400, "invalid_grant"),
    });
    let client = polled.builder().build()?;
    let device = begun(&client).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = begun.clone();
    let logins = spawn(move || async move {
        at_once(8, |_| {
            let (client, device, begun) = (client.clone(), device.clone(), counter.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client.complete_device_authorization(device).await
            }
        })
        .await
    });
    until(|| begun.load(Ordering::SeqCst) == 8).await;
    // The last of them joins within this time.
    sleep(Duration::from_millis(300)).await;
    gate.open();
    for login in logins.join().await {
        assert_eq!(access_token(&login?.token), "t1");
    }
    assert_eq!(polled.polls(), 4);
    Ok(())
}

#[maybe_async]
#[test]
async fn closing_the_client_ends_the_polling() -> TestResult {
    let polled = Polled::new(600, |_| pending());
    let client = polled.builder().build()?;
    let device = begun(&client).await;
    let waiting = client.clone();
    let login = spawn(move || async move { waiting.complete_device_authorization(device).await });
    until(|| polled.polls() > 0).await;
    client.close().await?;
    let error = login.join().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_device_login_can_have_pkce() -> TestResult {
    let polled = Polled::new(600, |_| Reply::json(200, tokens(1, 600)));
    let client = polled.builder().build()?;
    let asked = DeviceAuthorizationRequest::new().pkce();
    let device = client.device_authorization(asked).await?;
    client.complete_device_authorization(device).await?;
    let sent = |path: &'static str, name: &str| polled.server.requests(path)[0].parameter(name);
    let verifier = sent("/token", "code_verifier").unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash);
    assert_eq!(sent("/device", "code_challenge"), Some(challenge));
    assert_eq!(
        sent("/device", "code_challenge_method").as_deref(),
        Some("S256")
    );
    assert_eq!(sent("/device", "code_verifier"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn invalid_device_logins_are_errors_and_nothing_is_polled() -> TestResult {
    let polled = Polled::new(600, |_| pending());
    let device = begun(&polled.builder().build()?).await;
    let mut kept = serde_json::to_value(&device)?;
    kept["issuer"] = "https://other.example".into();
    let client = polled.builder().issuer("https://id.example").build()?;
    let foreign = serde_json::from_value(kept)?;
    let error = client
        .complete_device_authorization(foreign)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("another server"), "{error}");

    let error = OAuth2Client::builder("id")
        .build()?
        .device_authorization(DeviceAuthorizationRequest::new())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("device_authorization_endpoint"),
        "{error}"
    );
    let problems = bad_settings(
        OAuth2Client::builder("id")
            .device_authorization_endpoint("http://id.example/device")
            .build(),
    );
    assert!(
        problems.contains("device_authorization_endpoint must be https"),
        "{problems}"
    );
    assert_eq!(polled.polls(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn hooks_see_the_request_and_its_response() -> TestResult {
    let polled = Polled::new(600, |_| pending());
    let client = polled
        .builder()
        .compliance_hook(oauth_twin::oauth2::Hook::device_authorization_request(
            |request| {
                request.form_mut().push("x", "1");
                Ok(())
            },
        ))
        .compliance_hook(oauth_twin::oauth2::Hook::device_authorization_response(
            |response| {
                let mut members = response.json().ok_or("no JSON")?;
                members.insert("user_code".to_owned(), "CHANGED".into());
                response.set_json(&members);
                Ok(())
            },
        ))
        .build()?;
    let device = begun(&client).await;
    assert_eq!(device.user_code(), "CHANGED");
    assert_eq!(polled.server.forms("/device"), ["x=1&client_id=id"]);
    Ok(())
}

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oauth2::{
    AuthorizationServer, ClientRegistration, DeviceAuthorizationEndpoint,
    DeviceAuthorizationRequest,
};

fn read(answer: &Value) -> Result<DeviceAuthorization, String> {
    let server = AuthorizationServer::new("https://id.example")
        .with_device_authorization_endpoint("https://id.example/device");
    let client = ClientRegistration::new("id").with_resource("urn:r");
    let endpoint = DeviceAuthorizationEndpoint::new(&server, &client).expect("a URL");
    let request = endpoint.request(&DeviceAuthorizationRequest::new().pkce());
    let request = request.expect("a request");
    let members = answer.as_object().expect("an object");
    DeviceAuthorization::from_answer(members, &request, false, Duration::from_secs(1000))
}

fn answer(change: impl FnOnce(&mut Value)) -> Value {
    let mut answer = json!({
        "device_code": "d", "user_code": "U-1", "verification_uri": "https://id.example/device",
        "expires_in": 1800, "interval": 7,
    });
    change(&mut answer);
    answer
}

#[test]
fn an_answer_as_the_rfc_has_it() {
    let device = read(&answer(|it| {
        it["verification_uri_complete"] = "https://id.example/device?user_code=U-1".into();
    }));
    let device = device.expect("a device authorization");
    assert_eq!(device.user_code(), "U-1");
    assert_eq!(
        device.verification_uri().as_str(),
        "https://id.example/device"
    );
    let complete = device.verification_uri_complete();
    assert_eq!(complete, Some("https://id.example/device?user_code=U-1"));
    assert_eq!(device.expires_at(), UNIX_EPOCH + Duration::from_secs(2800));
    assert_eq!(device.interval(), Duration::from_secs(7));
    let kept = serde_json::to_string(&device).expect("JSON");
    let read: DeviceAuthorization = serde_json::from_str(&kept).expect("what was kept");
    assert_eq!(read.device_code(), device.device_code());
    assert_eq!((read.interval, read.expires_at), (7, 2800));
    assert_eq!(read.resource, ["urn:r"]);
    assert!(read.code_verifier.is_some() && read.code_verifier == device.code_verifier);
    assert_eq!(read.verification_uri(), device.verification_uri());
}

#[test]
fn departures_of_providers() {
    let google = json!({
        "device_code": "d", "user_code": "U-1", "expires_in": "1800",
        "verification_url": "https://www.google.example/device",
    });
    let device = read(&google).expect("a device authorization");
    assert_eq!(
        device.verification_uri().as_str(),
        "https://www.google.example/device"
    );
    assert_eq!(device.interval(), Duration::from_secs(5));
    for (interval, seconds) in [
        (json!(0), 1),
        (json!(-3), 1),
        (json!("9"), 9),
        (json!(2.5), 2),
        (json!(null), 5),
        (json!([]), 5),
    ] {
        let device = read(&answer(|it| it["interval"] = interval.clone())).expect("one");
        assert_eq!(
            device.interval(),
            Duration::from_secs(seconds),
            "{interval}"
        );
    }
    for odd in [json!("not a URL"), json!("http://id.example/"), json!(7)] {
        let device = read(&answer(|it| it["verification_uri_complete"] = odd));
        assert_eq!(device.expect("one").verification_uri_complete(), None);
    }
    let route = "https://id.example/#/device";
    let device = read(&answer(|it| it["verification_uri"] = route.into()));
    assert_eq!(device.expect("one").verification_uri().as_str(), route);
}

#[test]
fn what_is_missing_or_cannot_be_shown_is_named() {
    for (name, value) in [
        ("device_code", json!(null)),
        ("device_code", json!("")),
        ("user_code", json!(null)),
        ("user_code", json!("U\u{1b}[2J")),
        ("user_code", json!("U\nV")),
        ("user_code", json!("\u{202e}U")),
        ("user_code", json!("U".repeat(65))),
        ("verification_uri", json!(null)),
        ("verification_uri", json!("/device")),
        ("verification_uri", json!("http://id.example/device")),
        ("verification_uri", json!("javascript:alert(1)")),
        ("verification_uri", json!("https://me:secret@id.example/")),
        ("expires_in", json!(null)),
        ("expires_in", json!("soon")),
    ] {
        let problem = read(&answer(|it| it[name] = value.clone())).expect_err(name);
        assert!(problem.contains(name), "{name} {value}: {problem}");
    }
}

#[test]
fn absurd_times_do_not_overflow() {
    let device = read(&answer(|it| {
        it["expires_in"] = json!(1e300);
        it["interval"] = json!(1e300);
    }));
    let device = device.expect("a device authorization");
    assert_eq!(device.left(UNIX_EPOCH), Duration::from_secs(LATEST));
    assert_eq!(device.interval(), Duration::from_secs(u64::MAX));
    // Nor do those of one that was kept.
    let mut kept = serde_json::to_value(&device).expect("JSON");
    for name in ["expires_at", "interval"] {
        kept[name] = json!(u64::MAX);
    }
    let device: DeviceAuthorization = serde_json::from_value(kept).expect("a device");
    assert_eq!(device.left(UNIX_EPOCH), Duration::from_secs(LATEST));
}

#[test]
fn debug_tells_no_code() {
    let device = read(&answer(|_| {})).expect("a device authorization");
    assert_eq!(
        format!("{device:?}"),
        "DeviceAuthorization { device_code: [redacted], verification_uri: \
         \"https://id.example/device\", expires_at: 2800, interval: 7, issuer: \
         Some(\"https://id.example\"), .. }"
    );
}

proptest! {
    #[test]
    fn no_answer_panics_and_what_is_shown_is_bounded(
        code in any::<String>(), uri in "(https?|javascript)?:?/{0,2}[^ ]{0,40}",
        complete in any::<String>(), seconds in any::<f64>(), text in "[-+0-9.e]{0,30}",
    ) {
        let times = [json!(seconds), json!(text), json!(code)];
        for (expires_in, interval) in times.iter().zip(times.iter().rev()) {
            let answered = json!({
                "device_code": code, "user_code": code, "verification_uri": uri,
                "verification_uri_complete": complete, "expires_in": expires_in,
                "interval": interval,
            });
            let shown = answer(|it| *it = answered);
            if let Ok(device) = read(&shown) {
                prop_assert!(device.user_code().chars().count() <= LONGEST_USER_CODE);
                prop_assert!(device.user_code().chars().all(|c| !c.is_control()));
                let url = device.verification_uri();
                prop_assert!(url.scheme() == "https" || url.host_str().is_some());
                prop_assert!(device.interval() >= Duration::from_secs(1));
                let _ = device.left(SystemTime::now());
            }
        }
    }
}

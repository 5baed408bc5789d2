//! Vectors of the test suite of AWS, and of Google's own library.

use super::*;

const TOKEN: &str = "AQoEXAMPLEH4aoAH0gNCAPyJxz4BlCFFxWNE1OPTgk5TthT+FvwqnKwRcOIfrRh3c/LTo6UDdyJwOOvEVPvLXCrrrUtdnniCEXAMPLE/IvU1dYUg2RVAJBanLiHb4IgRmpRV3zrkuWJOgQs8IZZaIv2BXIa2R4OlgkBN9bkUDNCJiBeb/AXlzBBko7b15fjrBs2+cTQtpZ3CYWFXG8C5zqx37wnOE49mRl/+OtkIKGO7fAE";

fn keys(token: Option<&str>) -> SecurityCredentials {
    SecurityCredentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        session_token: token.map(Secret::from),
    }
}

fn suite_keys() -> SecurityCredentials {
    SecurityCredentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
    }
}

const DATE: (&str, &str) = ("date", "Mon, 09 Sep 2011 23:36:00 GMT");
const HOST: (&str, &str) = ("host", "host.foo.com");

#[test]
fn the_suite_of_aws() {
    for (method, url, headers, body, signed, signature) in [
        (
            "GET",
            "https://host.foo.com",
            &[DATE, HOST][..],
            "",
            "date;host",
            "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470",
        ),
        (
            "GET",
            "https://host.foo.com/foo/bar/../..",
            &[DATE, HOST],
            "",
            "date;host",
            "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470",
        ),
        (
            "GET",
            "https://host.foo.com/./foo",
            &[DATE, HOST],
            "",
            "date;host",
            "910e4d6c9abafaf87898e1eb4c929135782ea25bb0279703146455745391e63a",
        ),
        (
            "GET",
            "https://host.foo.com/%E1%88%B4",
            &[DATE, HOST],
            "",
            "date;host",
            "8d6634c189aa8c75c2e51e106b6b5121bed103fdb351f7d7d4381c738823af74",
        ),
        (
            "GET",
            "https://host.foo.com/?foo=Zoo&foo=aha",
            &[DATE, HOST],
            "",
            "date;host",
            "be7148d34ebccdc6423b19085378aa0bee970bdc61d144bd1a8c48c33079ab09",
        ),
        (
            "GET",
            "https://host.foo.com/?foo=b&foo=a",
            &[DATE, HOST],
            "",
            "date;host",
            "feb926e49e382bec75c9d7dcb2a1b6dc8aa50ca43c25d2bc51143768c0875acc",
        ),
        (
            "GET",
            "https://host.foo.com/?\u{1234}=bar",
            &[DATE, HOST],
            "",
            "date;host",
            "6fb359e9a05394cc7074e0feb42573a2601abc0c869a953e8c5c12e4e01f1a8c",
        ),
        (
            "POST",
            "https://host.foo.com/",
            &[DATE, HOST, ("ZOO", "zoobar")],
            "",
            "date;host;zoo",
            "b7a95a52518abbca0964a999a880429ab734f35ebbf1235bd79a5de87756dc4a",
        ),
        (
            "POST",
            "https://host.foo.com/",
            &[DATE, HOST, ("zoo", "ZOOBAR")],
            "",
            "date;host;zoo",
            "273313af9d0c265c531e11db70bbd653f3ba074c1009239e8559d3987039cad7",
        ),
        (
            "POST",
            "https://host.foo.com/",
            &[DATE, HOST, ("p", "phfft")],
            "",
            "date;host;p",
            "debf546796015d6f6ded8626f5ce98597c33b47b9164cf6b17b4642036fcb592",
        ),
        (
            "POST",
            "https://host.foo.com/",
            &[
                ("Content-Type", "application/x-www-form-urlencoded"),
                DATE,
                HOST,
            ],
            "foo=bar",
            "content-type;date;host",
            "5a15b22cf462f047318703b92e6f4f38884e4a7ab7b1d6426ca46a8bd1c26cbc",
        ),
        (
            "POST",
            "https://host.foo.com/?foo=bar",
            &[DATE, HOST],
            "",
            "date;host",
            "b6e3b79003ce0743a491606ba1035a804593b0efb1e20a11cba83f8c25a57a92",
        ),
    ] {
        let parsed = Url::parse(url).expect("a URL");
        let made = authorization(
            method,
            &parsed,
            headers,
            body,
            "us-east-1",
            &suite_keys(),
            "20110909T233600Z",
        );
        assert_eq!(
            made,
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20110909/us-east-1/host/aws4_request, SignedHeaders={signed}, Signature={signature}"
            ),
            "{method} {url}"
        );
    }
}

#[test]
fn the_identity_of_the_caller() {
    let url = "https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    let url = Url::parse(url).expect("a URL");
    let date = timestamp(Duration::from_secs(1_597_128_922));
    assert_eq!(date, "20200811T065522Z");
    for (token, names, signature) in [
        (
            Some(TOKEN),
            "host;x-amz-date;x-amz-security-token",
            "596aa990b792d763465d73703e684ca273c45536c6d322c31be01a41d02e5b60",
        ),
        (
            None,
            "host;x-amz-date",
            "9e722e5b7bfa163447e2a14df118b45ebd283c5aea72019bdf921d6e7dc01a9a",
        ),
    ] {
        let mut headers = vec![
            ("host", "sts.us-east-2.amazonaws.com"),
            ("x-amz-date", &date),
        ];
        headers.extend(token.map(|token| ("x-amz-security-token", token)));
        let made = authorization("POST", &url, &headers, "", "us-east-2", &keys(token), &date);
        assert_eq!(
            made,
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20200811/us-east-2/sts/aws4_request, SignedHeaders={names}, Signature={signature}"
            )
        );
    }
}

fn source() -> AwsSource {
    let source = json!({
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    });
    AwsSource::from_members(source.as_object().expect("an object")).expect("a source")
}

#[test]
fn the_subject_token_names_the_audience() {
    let now = Duration::from_secs(1_597_128_922);
    let token = source().signed_request(
        "us-east-2",
        &keys(Some(TOKEN)),
        "//iam.googleapis.com/p",
        now,
    );
    let token = token.expect("a token");
    let text = crate::encoding::percent_decode(token.expose_secret().as_bytes()).expect("text");
    let request: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(request["method"], "POST");
    let url = "https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(request["url"], url);
    let header = |name: &str| {
        let headers = request["headers"].as_array().expect("headers");
        headers
            .iter()
            .find(|header| header["key"] == name)
            .expect(name)["value"]
            .clone()
    };
    assert_eq!(
        header("x-goog-cloud-target-resource"),
        "//iam.googleapis.com/p"
    );
    assert_eq!(header("x-amz-security-token"), TOKEN);
    assert_eq!(header("x-amz-date"), "20200811T065522Z");
    let authorization = header("Authorization");
    let signed = "SignedHeaders=host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource,";
    assert!(authorization.as_str().expect("text").contains(signed));
}

#[test]
fn what_is_no_region_is_refused() {
    for region in ["", "us east", "evil.example/", "us-east-1.evil.example?"] {
        let error = source().signed_request(region, &keys(None), "a", Duration::ZERO);
        assert!(
            error.expect_err(region).to_string().contains("region"),
            "{region}"
        );
    }
}

const VERIFICATION_URL: &str =
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

/// The keys of the machine sign nothing but the question who it is.
#[test]
fn no_other_request_is_signed() {
    let read = |url: &str| {
        let source = json!({"environment_id": "aws1", "regional_cred_verification_url": url});
        AwsSource::from_members(source.as_object().expect("an object"))
    };
    for good in [
        VERIFICATION_URL,
        "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "https://sts.{region}.amazonaws.com.cn?Version=2011-06-15&Action=GetCallerIdentity",
        "https://sts-fips.{region}.amazonaws.com?Action=GetCallerIdentity",
        "https://sts.{region}.api.aws?Action=GetCallerIdentity",
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in [
        "https://iam.amazonaws.com?Action=CreateAccessKey",
        "https://sts.{region}.amazonaws.com",
        "https://sts.{region}.amazonaws.com?Action=AssumeRole",
        "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Action=AssumeRole",
        "https://sts.{region}.amazonaws.com?action=GetCallerIdentity",
        "http://sts.{region}.amazonaws.com?Action=GetCallerIdentity",
        "https://sts.{region}.amazonaws.com:8443?Action=GetCallerIdentity",
        "https://a@sts.{region}.amazonaws.com?Action=GetCallerIdentity",
        "https://sts.{region}.amazonaws.com/x?Action=GetCallerIdentity",
        "https://sts.{region}.amazonaws.com.evil.example?Action=GetCallerIdentity",
        "https://evil.example?Action=GetCallerIdentity",
        "https://sts.evil.example?Action=GetCallerIdentity",
        "https://sts.evilamazonaws.com?Action=GetCallerIdentity",
        "https://s3.{region}.amazonaws.com?Action=GetCallerIdentity",
        "x",
    ] {
        let Err(error) = read(bad) else {
            panic!("{bad}");
        };
        let error = error.to_string();
        assert!(error.contains("GetCallerIdentity"), "{bad}: {error}");
    }
}

#[test]
fn other_environments_are_refused() {
    for id in ["aws2", "aws", "azure1", ""] {
        let source =
            json!({"environment_id": id, "regional_cred_verification_url": VERIFICATION_URL});
        assert!(
            AwsSource::from_members(source.as_object().expect("an object")).is_err(),
            "{id}"
        );
    }
    let source = json!({"environment_id": "aws1"});
    assert!(AwsSource::from_members(source.as_object().expect("an object")).is_err());
    for member in ["url", "region_url", "imdsv2_session_token_url"] {
        let source = json!({"environment_id": "aws1", "regional_cred_verification_url": VERIFICATION_URL, member: "http://evil.example/"});
        let error =
            AwsSource::from_members(source.as_object().expect("an object")).expect_err(member);
        assert!(error.to_string().contains(member), "{error}");
    }
}

//! Google's credentials as the environment of a process has them.

use std::{env, fs, path::Path, process::Command};

use oauth_twin::{AssertionClient, AsyncAssertionClient, google::ApplicationDefault};
use serde_json::{Value, json};

use crate::{
    closed_port::ClosedPort,
    folder::Folder,
    google::{CLOUD_PLATFORM, aws_source, claims, external_account, google},
    process::MODES,
    server::Server,
};

const AUTHORIZED_USER: &str = include_str!("../vectors/authorized_user.json");

/// Prints the token of the credentials of its environment, or the error.
#[test]
#[ignore = "the other tests run it as a process of its own"]
fn process_with_credentials() {
    let token = || {
        let mut credentials = ApplicationDefault::new()?;
        if let Ok(audience) = env::var("AUDIENCE") {
            credentials = credentials.id_token(audience);
        }
        if env::var("MODE").as_deref() == Ok("Blocking") {
            return AssertionClient::google(credentials)
                .build()?
                .refresh_token();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = AsyncAssertionClient::google(credentials).build()?;
        runtime.block_on(client.refresh_token())
    };
    match token() {
        Ok(token) => println!("\ntoken={}", token.access_token().expose_secret()),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            println!("\nerror={error}: {}", source.unwrap_or_default());
        }
    }
}

/// The lines of processes of both modes with nothing but these variables, which are the same.
fn with(variables: &[(&str, &str)]) -> String {
    let said = MODES.map(|mode| {
        let output = Command::new(env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "google_environment::process_with_credentials",
                "--nocapture",
            ])
            .env_clear()
            .env("MODE", format!("{mode:?}"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("token=") || line.starts_with("error="));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    });
    // The times of signatures may differ.
    assert_eq!(said[0].split('|').next(), said[1].split('|').next());
    said[0].clone()
}

fn written(file: &Path, content: &Value) -> String {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn authorized_user(server: &Server) -> Value {
    let mut file: Value = serde_json::from_str(AUTHORIZED_USER).unwrap();
    file["token_uri"] = server.url("/token").into();
    file
}

#[test]
fn the_order_of_google() {
    let server = google("subject");
    let folder = Folder::new("google-order");
    fs::create_dir_all(folder.file("")).unwrap();
    let host = server.address().to_string();
    let metadata = ("GCE_METADATA_HOST", host.as_str());
    let home = folder.file("home");
    let home = ("HOME", home.to_str().unwrap());

    let machine = with(&[home, metadata]);
    assert_eq!(machine, "token=machine|");

    let user = authorized_user(&server);
    let gcloud = folder.file("home/.config/gcloud/application_default_credentials.json");
    written(&gcloud, &user);
    assert_eq!(with(&[home, metadata]), "token=user-token|");

    let subject = folder.file("subject");
    fs::write(&subject, "subject").unwrap();
    let account = external_account(&server, json!({"file": subject}));
    let named = written(&folder.file("named.json"), &account);
    let named = ("GOOGLE_APPLICATION_CREDENTIALS", named.as_str());
    let expected = format!("token=federated|subject|{CLOUD_PLATFORM}");
    assert_eq!(with(&[home, metadata, named]), expected);

    // What is named and cannot be used is not passed over.
    let missing = ("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent.json");
    let error = with(&[home, metadata, missing]);
    assert!(
        error.contains("/nonexistent.json") && error.contains("cannot be read"),
        "{error}"
    );
    let bad = written(&folder.file("bad.json"), &json!({"type": "api_key"}));
    let error = with(&[home, metadata, ("GOOGLE_APPLICATION_CREDENTIALS", &bad)]);
    assert!(
        error.contains("no known type") && error.contains("bad.json"),
        "{error}"
    );
}

#[test]
fn the_metadata_server() {
    let server = google("");
    let host = server.address().to_string();
    let metadata = ("GCE_METADATA_HOST", host.as_str());
    let said = with(&[metadata, ("AUDIENCE", "https://run")]);
    let token = said.strip_prefix("token=").expect(&said);
    assert_eq!(claims(token).expect("claims")["aud"], "https://run");

    // Another server that answers there.
    let other = Server::start(|_| {
        let token = json!({"access_token": "t", "expires_in": 60});
        crate::server::Reply::json(200, token)
    });
    let host = other.address().to_string();
    let error = with(&[("GCE_METADATA_HOST", &host)]);
    assert!(error.contains("Metadata-Flavor"), "{error}");

    let closed = ClosedPort::new();
    let host = closed.address().to_string();
    let error = with(&[("GCE_METADATA_HOST", &host)]);
    assert!(
        error.contains("set GOOGLE_APPLICATION_CREDENTIALS"),
        "{error}"
    );
}

#[test]
fn aws() {
    let server = google("%7B");
    let folder = Folder::new("google-aws");
    let account = external_account(&server, aws_source(&server));
    let named = written(&folder.file("aws.json"), &account);
    let named = ("GOOGLE_APPLICATION_CREDENTIALS", named.as_str());
    let said = with(&[named]);
    assert!(said.starts_with("token=federated|%7B"), "{said}");
    let of = |path| server.count(path);
    assert_eq!(of("/latest/api/token"), 2);
    assert_eq!(of("/latest/meta-data/iam/security-credentials/a%20role"), 2);
    let exchanged = server.requests("/v1/token");
    let subject = exchanged[0].parameter("subject_token").unwrap();
    let subject = url::form_urlencoded::parse(format!("s={subject}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap();
    let subject: Value = serde_json::from_str(&subject).unwrap();
    let url = "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(subject["url"], url);

    // The environment comes first.
    let keys = [
        named,
        ("AWS_REGION", "us-east-2"),
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let asked = of("/latest/api/token");
    assert!(with(&keys).contains("AKIDENV"));
    assert_eq!(of("/latest/api/token"), asked);
}

#[test]
fn a_program() {
    let server = google("subject");
    let folder = Folder::new("google-program");
    let output = json!({
        "version": 1, "success": true, "id_token": "subject of a program",
        "token_type": "urn:ietf:params:oauth:token-type:id_token",
    });
    let output = written(&folder.file("output.json"), &output);
    let command = format!("/bin/cat '{output}'");
    let account = external_account(&server, json!({"executable": {"command": command}}));
    let named = written(&folder.file("program.json"), &account);
    let named = ("GOOGLE_APPLICATION_CREDENTIALS", named.as_str());
    let permission = ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let said = with(&[named, permission]);
    assert!(
        said.starts_with("token=federated|subject|of|a|program"),
        "{said}"
    );

    let asked = server.count("/v1/token");
    let error = with(&[named]);
    assert!(
        error.contains("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"),
        "{error}"
    );
    assert_eq!(server.count("/v1/token"), asked);

    let failed =
        json!({"version": 1, "success": false, "code": "401", "message": "Not\nauthorized."});
    written(&folder.file("output.json"), &failed);
    let error = with(&[named, permission]);
    assert!(error.contains("failed: 401: Not authorized."), "{error}");
}

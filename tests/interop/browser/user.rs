//! The user, at a browser.

use std::{env, process::Command};

use serde_json::Value;

/// Path of a file beside the tests.
pub fn beside(name: &str) -> String {
    format!(
        "{}/tests/interop/browser/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

pub fn issuer() -> String {
    env::var("OIDC_PROVIDER").expect("these tests are run by tests/interop/run")
}

/// Lets the user do something with a browser. What they say is returned.
pub fn user(arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    command.arg(beside("user.mjs")).args(arguments);
    let output = command.output().expect("node");
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}\n{said}\n{errors}");
    said.trim_end().to_owned()
}

/// Registers a client at the provider.
pub fn register(metadata: &Value) {
    user(&["register", &metadata.to_string()]);
}

/// Number of tokens that the provider has issued by that grant.
pub fn count(client: &str, grant: &str) -> String {
    user(&["count", client, grant])
}

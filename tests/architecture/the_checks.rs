//! Each check, fed with what it has to find and with what it has to let pass.

use std::collections::BTreeSet;

use super::{
    imports::upward_imports,
    rules::*,
    tokens::{Token, lex},
};

fn assert_found(check: impl Fn(&[Token]) -> Vec<String>, good: &[&str], bad: &[&str]) {
    for text in good {
        let found = check(&lex(text));
        assert!(found.is_empty(), "{text}: {found:?}");
    }
    for text in bad {
        assert!(!check(&lex(text)).is_empty(), "not found: {text}");
    }
}

#[test]
fn find_upward_imports() {
    assert_found(
        |tokens| upward_imports("oauth2/token.rs", tokens),
        &[
            "use crate::error::Error;",
            "use crate::{clock::Clock, oauth2::{Form, Grant}, secret::Secret};",
            "use super::Token; pub(crate) fn f() {} pub(in super::super) fn g() {}",
            "use super::super::error::Error;",
            "mod tests { use super::super::client; }",
            "/// [`crate::OAuth2Client`], from `use crate::client;`\nfn f() {}",
            "const TEXT: &str = \"use crate::client;\";",
            "#![doc = \"crate::client\"]",
        ],
        &[
            "use crate::client::Session;",
            "use crate::{error::Error, client::Session};",
            "use crate::{error::{Error, Result}, tls};",
            "use crate::oauth1::Signer;",
            "use crate::oidc;",
            "use crate::Error;",
            "use crate::*;",
            "use crate::{self as root};",
            "fn f() { crate::blocking::sleep(); }",
            "macro_rules! m { () => { $crate::tls::config() } }",
            "use super::super::client;",
            "mod tests { use super::super::super::client; }",
            "mod a {} use super::super::client;",
        ],
    );
    assert_found(
        |tokens| upward_imports("random.rs", tokens),
        &["use crate::error::Error;", "use super::error::Error;"],
        &["use crate::oauth2::Form;", "use super::oauth2::Form;"],
    );
    assert_found(
        |tokens| upward_imports("client/slot.rs", tokens),
        &["use super::super::http; use crate::{oauth2::Token, tls, trace};"],
        &[
            "use crate::asynchronous::http;",
            "use super::super::super::blocking;",
        ],
    );
    assert_found(
        |tokens| upward_imports("client/mod.rs", tokens),
        &["use super::http;"],
        &["use super::super::asynchronous;"],
    );
    let elsewhere = upward_imports("helpers.rs", &lex(""));
    assert_eq!(elsewhere, ["the module helpers stands on no floor"]);
    assert!(upward_imports("lib.rs", &lex("use crate::client;")).is_empty());
}

#[test]
fn find_io_below_the_clients() {
    assert_found(
        knows_io,
        &[
            "use reqwest::{Url, header::HeaderMap}; #[cfg(feature = \"async\")] mod a;",
            "/// Not `async`.\nfn f(error: reqwest::Error) {}",
            "// async tokio await",
        ],
        &[
            "async fn f() {}",
            "fn f() { g().await }",
            "use tokio::sync::Mutex;",
            "fn f(client: &reqwest::Client) {}",
            "use reqwest::{Url, blocking::Client};",
            "use reqwest::{Response, Url};",
            "use reqwest::*;",
        ],
    );
}

#[test]
fn find_async_blocks() {
    assert_found(
        async_blocks,
        &[
            "async fn f() { g().await }",
            "// async {}",
            "const A: &str = \"async {\";",
        ],
        &[
            "fn f() { async { 1 } }",
            "fn f() { g(async move { 1 }) }",
            "m!(async\n{ 1 });",
        ],
    );
}

#[test]
fn find_conditions() {
    assert_found(
        conditions,
        &[
            "#[cfg(test)] mod tests {}",
            "#[cfg(feature = \"redis\")] #[path = \"x.rs\"] pub(super) mod redis;",
            "#[allow(unused)] #[cfg_attr(a, path = \"b\")] mod c;",
        ],
        &[
            "#[cfg(feature = \"async\")] fn f() {}",
            "#[cfg(feature = \"async\")] use a::mod_b;",
            "#[cfg_attr(feature = \"tracing\", instrument)] fn f() {}",
            "fn f() { if cfg!(debug_assertions) {} }",
            "struct S { #[cfg(test)] field: u8 }",
            "#![cfg(test)]\nmod a;",
        ],
    );
}

#[test]
fn find_the_toggle() {
    assert_found(
        toggles,
        &[
            "use maybe_async::must_be_sync as maybe_async; #[maybe_async] fn f() {}",
            "use super::{http, maybe_async};",
        ],
        &[
            "#[maybe_async::maybe_async] async fn f() {}",
            "use maybe_async::maybe_async;",
            "use maybe_async::{must_be_sync, maybe_async};",
            "use maybe_async::*;",
            "#[maybe_async::sync_impl] fn f() {}",
            "use x::async_impl;",
            "#[cfg(is_sync)] fn f() {}",
        ],
    );
}

#[test]
fn find_parameters() {
    assert_found(
        parameters,
        &[
            "/// Sends `refresh_token`.\nfn refresh_token(client_id: u8) {}",
            "const A: &str = \"the runtime shut down, in whatever state\";",
        ],
        &[
            "const A: &str = \"grant_type\";",
            "const A: &str = \"a=b&client_id=\";",
            "const A: &[u8] = b\"client_secret\";",
            "const A: &str = r#\"{\"refresh_token\": 1}\"#;",
            "const A: &str = \"scope\";",
            "const A: &str = \"Bearer \";",
            "println!(\"redirect_uri is {uri}\");",
        ],
    );
}

#[test]
fn find_long_files() {
    let code = |lines: usize| "fn f() {}\n".repeat(lines);
    assert!(too_long_a_seam(&(code(199) + &"\n    // why\n/// what\n".repeat(99))).is_empty());
    assert_eq!(too_long_a_seam(&code(200)).len(), 1);
    assert!(too_long(&code(500)).is_empty());
    assert_eq!(too_long(&code(501)).len(), 1);
}

#[test]
fn find_what_a_seam_lacks() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let imports = "use super::{Hook, sleep,}; use super::http; mod a { use b::{c}; }";
    let imported: BTreeSet<String> = names(&["Hook", "http", "sleep"]);
    assert_eq!(imported_from_parent(&lex(imports)), imported);
    let seam = "use m::must_be_sync as maybe_async; mod http { fn inner() {} } \
        macro_rules! paired { () => {} } type Hook = u8; async fn sleep() { fn nap() {} } \
        pub struct Outcome<T>(T); impl<T> Outcome<T> { fn wait(&self) {} }";
    let expected: BTreeSet<String> =
        names(&["Hook", "Outcome", "http", "maybe_async", "paired", "sleep"]);
    assert_eq!(defined(&lex(seam)), expected);
}

//! Each check, fed with what it has to find and with what it has to let pass.

use std::collections::BTreeSet;

use super::{
    imports::upward_imports,
    rooms::misplaced_imports,
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
        |tokens| upward_imports("client/renewal.rs", tokens),
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
fn find_what_knows_the_modes() {
    assert_found(
        mode_gates,
        &[
            "#[cfg(feature = \"tracing\")] mod a;",
            "/// # #[cfg(feature = \"blocking\")]\nfn f() {}",
            "#[cfg(test)] mod tests { const A: &str = \"async\"; }",
        ],
        &[
            "#[cfg(feature = \"async\")] mod a;",
            "#[cfg(any(feature = \"x\", feature = \"blocking\"))] fn f() {}",
            "#[cfg_attr(feature = \"blocking\", doc = \"x\")] fn f() {}",
            "#[cfg_attr(not(feature = \"async\"), path = \"b.rs\")] mod a;",
            "fn f() { if cfg!(feature = \"async\") {} }",
            "#![cfg(feature = \"async\")]",
        ],
    );
    let both = "#[cfg(any(feature = \"async\", feature = \"blocking\"))] mod a;";
    assert!(all_but_one(mode_gates(&lex(both))).is_empty());
    assert_eq!(
        all_but_one(mode_gates(&lex(&format!("{both}\n{both}")))).len(),
        1
    );
    assert_eq!(all_but_one(Vec::new()).len(), 1);
    assert_found(
        names_reqwest,
        &[
            "/// As reqwest does.\nfn f() {} // reqwest",
            "const A: &str = \"reqwest\";",
        ],
        &[
            "use reqwest::Url;",
            "fn f(error: reqwest::Error) {}",
            "use crate::reqwest::header;",
            "impl From<::reqwest::Error> for A {}",
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
    assert!(too_long(&code(400)).is_empty());
    assert_eq!(too_long(&code(401)).len(), 1);
}

#[test]
fn find_rooms_that_import_upwards_or_through_the_hub() {
    assert_found(
        |tokens| misplaced_imports("oauth2/grant/password.rs", tokens),
        &[
            "use crate::{error::Error, oauth2::{request::TokenRequest, token::Token}};",
            "use super::{Grant, options::GrantOptions}; use super::super::scope::Scope;",
            "use crate::oauth2::grant::{Grant, options::{self, GrantOptions}};",
            "use crate::secret::Secret; fn f() -> crate::oauth2::scope::Scope {}",
            "fn f() {} #[cfg(test)] mod tests { use crate::oauth2::{Token, TokenEndpoint}; }",
        ],
        &[
            "use crate::oauth2::Token;",
            "use crate::oauth2::{request::TokenRequest, Scope};",
            "use crate::{error::Error, oauth2::{request::TokenRequest, endpoint::token::X}};",
            "use super::super::authorization::pkce::Pkce;",
            "use super::super::Scope;",
            "use crate::oauth2::*;",
            "use crate::oauth2;",
            "fn f() -> crate::oauth2::endpoint::token::TokenEndpoint {}",
        ],
    );
    assert_found(
        |tokens| misplaced_imports("client/authorizer/bearer.rs", tokens),
        &[
            "use super::{super::{http, session::Session, oauth1::session::SignedSession}, Next};",
            "use super::super::oauth1::sign::sign; use crate::oauth2::Token;",
        ],
        &[
            "use super::super::request::RequestBuilder;",
            "use super::super::{http, oauth1::client::OAuth1Client};",
        ],
    );
    let found = |path| misplaced_imports(path, &lex("use crate::oauth2::grant::Grant;"));
    assert_eq!(found("oauth2/misc.rs"), ["oauth2 has no room misc"]);
    assert_eq!(found("oauth2/request.rs").len(), 1);
    for path in [
        "oauth2/mod.rs",
        "oauth2/assertion/jwt/tests.rs",
        "lifecycle/slot.rs",
    ] {
        assert!(found(path).is_empty(), "{path}");
    }
}

#[test]
fn find_types_that_stand_for_two_things() {
    let found = |files: &[(&str, &str)]| {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (*path, lex(text)))
            .collect();
        repeated_types(files.iter().map(|(path, tokens)| (*path, &**tokens)))
    };
    let here = ("a/b.rs", "pub struct Live<T>(T); enum State {}");
    for (other, count) in [
        (
            (
                "a/c.rs",
                "struct Other; impl A for Other { type Live = u8; }",
            ),
            0,
        ),
        (("a/c.rs", "mod tests { struct Live; }"), 0),
        (("a/c.rs", "pub(crate) struct Live;"), 1),
        (("a/c.rs", "type Live = u8; trait State {}"), 2),
    ] {
        assert_eq!(found(&[here, other]).len(), count, "{other:?}");
    }
    let modes = [
        ("asynchronous.rs", "type A = u8;"),
        ("blocking.rs", "struct A;"),
    ];
    assert!(found(&modes).is_empty());
    let folders = [
        ("x/enabled.rs", "struct B;"),
        ("x/disabled.rs", "struct B;"),
    ];
    assert!(found(&folders).is_empty());
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
    let expected: BTreeSet<String> = names(&[
        "Hook",
        "Outcome",
        "http",
        "m",
        "maybe_async",
        "must_be_sync",
        "paired",
        "sleep",
    ]);
    assert_eq!(defined(&lex(seam)), expected);
}

//! Rules about the content of files.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, Words as _, names_after};

/// As long as a seam may be, without blank lines and comments.
const SEAM_LINES: usize = 200;
/// As long as any file may be.
const FILE_LINES: usize = 400;
/// As many files as a folder may have, without those of its folders.
pub const FOLDER_FILES: usize = 16;

/// Names of reqwest that only the clients may use.
const REQWEST_IO: &[&str] = &[
    "blocking",
    "Body",
    "Client",
    "ClientBuilder",
    "Request",
    "RequestBuilder",
    "Response",
];

/// Parameters of OAuth that a seam must not name: wherever they stand in a string …
const PARAMETERS: &[&str] = &[
    "access_token",
    "client_assertion",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_verifier",
    "expires_in",
    "grant_type",
    "id_token",
    "oauth_token",
    "oauth_verifier",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "token_type",
];
/// … or where they are all of it, as they are words of English too.
const PARAMETER_WORDS: &[&str] = &[
    "Basic",
    "Bearer",
    "assertion",
    "code",
    "nonce",
    "resource",
    "scope",
    "state",
];

/// Async code, tokio, and the halves of reqwest that send.
pub fn knows_io(tokens: &[Token]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if ["async", "await", "tokio"].contains(&token.text()) {
            wrong.push(format!("{}: {}", token.line, token.text));
        }
        if token.is("reqwest") {
            let names = names_after(tokens, at + 1).into_iter();
            let io = names.filter(|(_, name)| name == "*" || REQWEST_IO.contains(&&**name));
            wrong.extend(io.map(|(line, name)| format!("{line}: reqwest::{name}")));
        }
    }
    wrong
}

/// Conditions, in whatever form, on the features of the modes.
pub fn mode_gates(tokens: &[Token]) -> Vec<String> {
    let is_mode = |window: &&[Token]| {
        window.starts_with_words(&["feature", "="])
            && window.get(2).is_some_and(|value| {
                value.literal && ["\"async\"", "\"blocking\""].contains(&&*value.text)
            })
    };
    let windows = (0..tokens.len()).map(|at| &tokens[at..]);
    let mut lines: Vec<_> = windows.filter(is_mode).map(|at| at[0].line).collect();
    // One condition may name both.
    lines.dedup();
    let gate = |line| format!("{line}: a condition on a mode");
    lines.into_iter().map(gate).collect()
}

/// The library of the clients.
pub fn names_reqwest(tokens: &[Token]) -> Vec<String> {
    let named = tokens.iter().filter(|token| token.is("reqwest"));
    named.map(|it| format!("{}: reqwest", it.line)).collect()
}

/// Findings besides the required one.
pub fn all_but_one(mut found: Vec<String>) -> Vec<String> {
    match found.is_empty() {
        true => vec!["the exception is not there any more".to_owned()],
        false => found.split_off(1),
    }
}

/// `async {}` and `async move {}`, in which `return` and `?` leave another function in each mode.
pub fn async_blocks(tokens: &[Token]) -> Vec<String> {
    let is_block = |window: &&[Token]| {
        window.starts_with_words(&["async", "{"])
            || window.starts_with_words(&["async", "move", "{"])
    };
    let windows = (0..tokens.len()).map(|at| &tokens[at..]);
    windows
        .filter(is_block)
        .map(|window| format!("{}: an async block", window[0].line))
        .collect()
}

/// `cfg`, in whatever form, unless it is an attribute of a module.
pub fn conditions(tokens: &[Token]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let called = tokens
            .get(at + 1)
            .is_some_and(|next| next.is("(") || next.is("!"));
        if (token.is("cfg") || token.is("cfg_attr")) && called {
            let attribute = at >= 2 && tokens[at - 2].is("#") && tokens[at - 1].is("[");
            if !(attribute && item_after_attributes(&tokens[at - 2..]) == Some("mod")) {
                wrong.push(format!("{}: a condition", token.line));
            }
        }
    }
    wrong
}

/// The keyword that follows attributes and `pub`.
fn item_after_attributes(mut tokens: &[Token]) -> Option<&str> {
    loop {
        tokens = match tokens {
            [hash, rest @ ..] if hash.is("#") => after_group(rest),
            [public, paren, ..] if public.is("pub") && paren.is("(") => after_group(&tokens[1..]),
            [public, rest @ ..] if public.is("pub") => rest,
            [item, ..] => return Some(item.text()),
            [] => return None,
        };
    }
}

/// Tokens after the group in brackets that `tokens` begin with.
fn after_group(tokens: &[Token]) -> &[Token] {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[at + 1..];
        }
    }
    &[]
}

/// All of maybe-async that looks at its feature `is_sync`.
pub fn toggles(tokens: &[Token]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if ["is_sync", "sync_impl", "async_impl"].contains(&token.text()) {
            wrong.push(format!("{}: {}", token.line, token.text));
        }
        if token.is("maybe_async") {
            let names = names_after(tokens, at + 1).into_iter();
            let fixed = |name: &str| ["must_be_async", "must_be_sync"].contains(&name);
            let others = names.filter(|(_, name)| !fixed(name));
            wrong.extend(others.map(|(line, name)| format!("{line}: maybe_async::{name}")));
        }
    }
    wrong
}

/// A seam's lines of code.
pub fn too_long_a_seam(text: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    over(lines, SEAM_LINES - 1, "lines of code")
}

pub fn too_long(text: &str) -> Vec<String> {
    over(text.lines().count(), FILE_LINES, "lines")
}

fn over(count: usize, limit: usize, what: &str) -> Vec<String> {
    match count > limit {
        true => vec![format!("{count} {what}, where {limit} are the most")],
        false => Vec::new(),
    }
}

/// Strings that name a parameter of OAuth.
pub fn parameters(tokens: &[Token]) -> Vec<String> {
    let names_one = |text: &str| {
        let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        PARAMETER_WORDS.contains(&text) || words.any(|word| PARAMETERS.contains(&word))
    };
    let strings = tokens.iter().filter(|token| token.literal);
    let wrong = strings.filter(|string| names_one(&string.text));
    wrong
        .map(|string| format!("{}: {}", string.line, string.text))
        .collect()
}

/// Names of types that more than one file defines. The two modes define the same things under the
/// same names, and so do the files of a folder of which only one is compiled.
pub fn repeated_types<'a>(files: impl Iterator<Item = (&'a str, &'a [Token])>) -> Vec<String> {
    let mut names = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (path, tokens) in files {
        for (at, token) in tokens.iter().enumerate() {
            if tokens[at..].starts_with_words(&["mod", "tests", "{"]) {
                break;
            }
            let in_trait = at >= 1 && (tokens[at - 1].is(";") || tokens[at - 1].is("{"));
            let is_type = ["struct", "enum", "trait", "union"].contains(&token.text())
                || (token.is("type") && !(in_trait && is_indented(tokens, at)));
            if let Some(name) = tokens.get(at + 1).filter(|_| is_type) {
                names.entry(name.text()).or_default().insert(path);
            }
        }
    }
    names.retain(|_, paths| !is_one_place(paths));
    let line = |(name, paths): (&str, BTreeSet<&str>)| format!("{name} stands in {paths:?}");
    names.into_iter().map(line).collect()
}

/// Whether a token stands in braces: an associated type of an impl or a trait.
fn is_indented(tokens: &[Token], at: usize) -> bool {
    let mut depth = 0;
    for token in &tokens[..at] {
        match token.text() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    depth > 0
}

fn is_one_place(paths: &BTreeSet<&str>) -> bool {
    const ALTERNATIVES: [(&str, &str); 5] = [
        ("asynchronous", "blocking"),
        ("tasks.rs", "threads.rs"),
        ("enabled.rs", "disabled.rs"),
        ("unix.rs", "other.rs"),
        ("ring.rs", "reqwests_own.rs"),
    ];
    let same = |path: &str| {
        let fold = |path: String, (from, to): (&str, &str)| path.replace(from, to);
        ALTERNATIVES.into_iter().fold(path.to_owned(), fold)
    };
    let places: BTreeSet<_> = paths.iter().map(|path| same(path)).collect();
    places.len() <= 1
}

/// Names in `use super::{…}` of a file.
pub fn imported_from_parent(tokens: &[Token]) -> BTreeSet<String> {
    let uses = (0..tokens.len()).filter(|at| tokens[*at..].starts_with_words(&["use", "super"]));
    let names = uses.flat_map(|at| names_after(tokens, at + 2));
    names.map(|(_, name)| name).collect()
}

/// The words of an import, the names that it brings among them.
fn imported(tokens: &[Token]) -> impl Iterator<Item = String> {
    let import = tokens.iter().take_while(|token| !token.is(";"));
    let is_word = |token: &&Token| token.text.starts_with(|c: char| c.is_alphabetic());
    let words = import.filter(is_word).filter(|token| !token.is("as"));
    words.map(|token| token.text.clone())
}

/// The names that a file defines at its top level, by import too.
pub fn defined(tokens: &[Token]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        let name = |behind: usize| tokens.get(at + behind).map(|token| token.text.clone());
        match token.text() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ if depth > 0 => {}
            "fn" | "struct" | "enum" | "trait" | "type" | "mod" | "as" => names.extend(name(1)),
            "use" => names.extend(imported(&tokens[at + 1..])),
            "macro_rules" => names.extend(name(2)),
            _ => {}
        }
    }
    names
}

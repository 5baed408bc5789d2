//! The rooms inside a module: which of them may import which.

use super::tokens::{Token, Words as _};

/// The files and folders of a module, upwards. A room imports from itself and from those before it.
/// A file that is named itself is no part of its folder's room.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "client",
        &[
            "waiting",
            "gate",
            "transport",
            "dpop",
            "documents",
            "settings",
            "registration/kept",
            "shared",
            "server",
            "protected_resource/established",
            "protected_resource/forgotten",
            "protected_resource/parts",
            "protected_resource/state",
            "endpoint_call",
            "store_sync",
            "stores",
            "delivery",
            "session",
            "keys",
            "oidc",
            "calls",
            "renewal",
            "obtain",
            "protected_resource",
            "oauth1/sign",
            "oauth1/shared",
            "oauth1/renewal",
            "oauth1/session",
            "authorizer",
            "request",
            "oauth1",
            "oauth2",
            "exchange",
            "registration",
            "users",
            "assertion",
            "interactive",
        ],
    ),
    (
        "oauth2",
        &[
            "dpop",
            "scope",
            "client",
            "server",
            "protected_resource",
            "request",
            "response",
            "hook",
            "authentication",
            "provider/quirks",
            "assertion",
            "token",
            "client_auth",
            "grant",
            "authorization",
            "endpoint",
            "provider",
        ],
    ),
];

/// Modules in whose hub stands what comes from the seam, for all rooms.
const WITH_SEAM: &[&str] = &["client"];

/// Imports that lead to a room above, to no room, or through the hub of the module, which is for
/// those outside. Tests may import what they like.
pub fn misplaced_imports(path: &str, tokens: &[Token]) -> Vec<String> {
    let own = segments(path);
    let Some((module, rooms)) = ROOMS.iter().find(|(module, _)| *module == own[0]) else {
        return Vec::new();
    };
    if own.len() < 2 {
        return Vec::new();
    }
    if own.last().is_some_and(|name| name == "tests") {
        return Vec::new();
    }
    let rank = |path: &[String]| {
        let inner = path
            .get(1..3)
            .map(|path| path.join("/"))
            .unwrap_or_default();
        let is = |name: &str| rooms.iter().position(|room| *room == name);
        is(&inner).or_else(|| is(path.get(1)?))
    };
    let room = &own[1];
    let Some(own_rank) = rank(&own) else {
        return vec![format!("{module} has no room {room}")];
    };
    let mut wrong = Vec::new();
    for (line, target) in paths(&own, without_tests(tokens)) {
        // The visibility `pub(in super::super)` names a folder that the file is in.
        let is_own = WITH_SEAM.contains(module) && own.starts_with(&target);
        if is_own || target.first().is_none_or(|first| first != module) {
            continue;
        }
        match target.get(1).map(|name| (name, rank(&target))) {
            None => wrong.push(format!("{line}: imports all of {module}")),
            Some((_, None)) if WITH_SEAM.contains(module) => {}
            Some((name, None)) => wrong.push(format!("{line}: imports {name} through the hub")),
            Some((name, Some(to))) if to > own_rank => {
                wrong.push(format!(
                    "{line}: {room} imports {name}, which stands above it"
                ));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// `oauth2/grant/mod.rs` is `oauth2::grant`.
fn segments(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

/// Part of a file before the unit tests, which come last.
fn without_tests(tokens: &[Token]) -> &[Token] {
    let tests =
        (0..tokens.len()).find(|at| tokens[*at..].starts_with_words(&["mod", "tests", "{"]));
    &tokens[..tests.unwrap_or(tokens.len())]
}

/// The paths from `crate` and `super`, as seen from the root.
fn paths(own: &[String], tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let behind = &tokens[at + 1..];
        let begins = tokens[at].is("crate") || tokens[at].is("super");
        if !begins || !behind.starts_with_words(&[":", ":"]) {
            at += 1;
            continue;
        }
        let mut base = match tokens[at].is("crate") {
            true => Vec::new(),
            false => own[..own.len().saturating_sub(1)].to_vec(),
        };
        at += 3;
        while tokens[at..].starts_with_words(&["super", ":", ":"]) {
            base.pop();
            at += 3;
        }
        at += tree(&tokens[at..], &base, &mut found);
    }
    found
}

/// Adds the paths of a tree behind `base`, and tells how many tokens it has.
fn tree(tokens: &[Token], base: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut path = base.to_vec();
    let mut at = 0;
    let mut line = 0;
    while at < tokens.len() {
        line = tokens[at].line;
        if tokens[at].is("{") {
            at += 1;
            while at < tokens.len() && !tokens[at].is("}") {
                at += tree(&tokens[at..], &path, found);
                while at < tokens.len() && !tokens[at].is(",") && !tokens[at].is("}") {
                    at += 1;
                }
                at += usize::from(at < tokens.len() && tokens[at].is(","));
            }
            return at + 1;
        }
        match tokens[at].text() {
            "self" | "*" => {}
            // As in `pub(in super::super)`.
            "super" => drop(path.pop()),
            _ => path.push(tokens[at].text.clone()),
        }
        at += 1;
        if !tokens[at..].starts_with_words(&[":", ":"]) {
            break;
        }
        at += 2;
    }
    found.push((line, path));
    at
}

//! Rules about imports.

use super::tokens::{Token, Words as _, names_after};

/// A file imports from its own module and from lower floors. What is not here is the top.
const FLOORS: &[(&str, u8)] = &[
    ("clock", 0),
    ("encoding", 0),
    ("error", 0),
    ("json", 0),
    ("pem", 0),
    ("random", 0),
    ("secret", 0),
    ("signal", 0),
    ("wire", 1),
    ("jose", 2),
    ("oauth1", 3),
    ("oauth2", 3),
    ("oidc", 4),
    ("token_store", 5),
    ("lifecycle", 6),
    ("login", 7),
    ("tls", 7),
    ("trace", 7),
    ("asynchronous", 8),
    ("blocking", 8),
    ("client", 8),
    ("guide", 9),
];
/// On the ground, and only there, a module may import its neighbours.
const GROUND: u8 = 0;
pub const TOP: u8 = 9;

/// Imports and paths that lead upward, to a neighbour, or to no floor.
pub fn upward_imports(path: &str, tokens: &[Token]) -> Vec<String> {
    let own = module_of(path);
    let Some(floor) = floor_of(own).or((path == "lib.rs").then_some(TOP)) else {
        return vec![format!("the module {own} stands on no floor")];
    };
    let wrong = |(line, name): &(usize, String)| match floor_of(name).unwrap_or(TOP) {
        _ if name == own || floor == TOP => None,
        to if to < floor || (to == floor && floor == GROUND) => None,
        _ => Some(format!("{line}: {own} imports {name}")),
    };
    crate_paths(path, tokens).iter().filter_map(wrong).collect()
}

/// The first names behind `crate::`, and behind as many `super::` as lead to the same.
fn crate_paths(path: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let file_depth = depth_of(path);
    let mut found = Vec::new();
    // The depths of braces at which inline modules began.
    let (mut modules, mut braces) = (Vec::new(), 0);
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text() {
            "{" => {
                if at >= 2 && tokens[at - 2].is("mod") {
                    modules.push(braces);
                }
                braces += 1;
            }
            "}" => {
                braces -= 1;
                if modules.last() == Some(&braces) {
                    modules.pop();
                }
            }
            "crate" => {
                at += 1;
                found.extend(names_after(tokens, at));
                continue;
            }
            "super" => {
                let mut supers = 1;
                while tokens[at + 1..].starts_with_words(&[":", ":", "super"]) {
                    supers += 1;
                    at += 3;
                }
                at += 1;
                if supers >= file_depth + modules.len() {
                    found.extend(names_after(tokens, at));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// `oauth2/token.rs` and `oauth2.rs` belong to `oauth2`.
pub fn module_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

pub fn floor_of(module: &str) -> Option<u8> {
    let entry = FLOORS.iter().find(|(name, _)| *name == module);
    entry.map(|(_, floor)| *floor)
}

/// How many `super` lead from a file to the root of the crate. The clients are mounted in seams.
fn depth_of(path: &str) -> usize {
    let folders = path.matches('/').count();
    let own = usize::from(!path.ends_with("mod.rs") && path != "lib.rs");
    folders + own + usize::from(module_of(path) == "client")
}

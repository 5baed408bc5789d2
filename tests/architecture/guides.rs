//! Guides: where their links lead, in the repository and on docs.rs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Links of a text in Markdown that lead to files.
#[derive(Default)]
pub struct Links {
    /// `[label]: target`, with its label.
    defined: Vec<(String, String)>,
    /// `[text](target)`.
    inline: Vec<String>,
}

pub fn links(text: &str) -> Links {
    let mut links = Links::default();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let is_file = |target: &str| !target.contains("://") && !target.starts_with('#');
        if let Some((label, target)) = line.strip_prefix('[').and_then(|it| it.split_once("]: "))
            && is_file(target)
            && !target.contains(char::is_whitespace)
        {
            links.defined.push((label.to_owned(), target.to_owned()));
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if is_file(target) {
                links.inline.push(target.to_owned());
            }
        }
    }
    links
}

/// What is wrong with the links of a file in `folder`: targets that do not exist, and links that
/// `known` labels do not lead to a page of the documentation.
pub fn dead_links(folder: &Path, text: &str, known: &BTreeSet<String>) -> Vec<String> {
    let Links { defined, inline } = links(text);
    let targets = defined.iter().map(|(_, target)| target).chain(&inline);
    let mut wrong: Vec<_> = targets
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{target} does not exist"))
        .collect();
    let unknown = defined.iter().filter(|(label, _)| !known.contains(label));
    wrong.extend(unknown.map(|(label, _)| format!("src/guide/links.md does not define {label}")));
    let pages = inline.iter().filter(|target| !target.ends_with(".svg"));
    wrong.extend(pages.map(|target| format!("{target}: write [Label] and define it at the end")));
    wrong
}

/// The guides of the repository: the README and its companions, and all of `docs`.
pub fn guides(root: &Path) -> Vec<PathBuf> {
    let named = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name));
    let docs = fs::read_dir(root.join("docs")).expect("a folder");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    named.into_iter().chain(docs).collect()
}

/// The pieces of Rust in a text that are not compiled where they stand.
pub fn uncompiled(text: &str) -> Vec<&str> {
    let fenced = text.split("```rust,ignore\n").skip(1);
    fenced.filter_map(|rest| rest.split("```").next()).collect()
}

/// Number of lines of a program, without blank lines and comments.
pub fn lines_of_code(program: &str) -> usize {
    let lines = program.lines().map(str::trim_start);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

/// The labels that are defined for the documentation.
pub fn labels(links_of_rustdoc: &str) -> BTreeSet<String> {
    let label = |line: &str| Some(line.strip_prefix('[')?.split_once("]: ")?.0.to_owned());
    links_of_rustdoc.lines().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_code_are_counted() {
        assert_eq!(
            lines_of_code("//! A\n\nfn a() {\n    // why\n    b(); // c\n}\n"),
            3
        );
    }

    #[test]
    fn uncompiled_pieces_are_found() {
        let text = "a\n```rust,ignore\nb();\n```\n```rust\nc();\n```\n";
        assert_eq!(uncompiled(text), ["b();\n"]);
    }

    #[test]
    fn dead_links_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let known = BTreeSet::from(["Good".to_owned()]);
        for (text, expected) in [
            ("[Good]: README.md", 0),
            ("![a diagram](docs/lifecycle.svg)", 0),
            ("[a](https://example.com/) [b](#section)", 0),
            ("```rust\n# [a](nowhere.md)\n```", 0),
            ("[Good]: nowhere.md", 1),
            ("[Bad]: README.md", 1),
            ("[a](README.md)", 1),
            ("[a](nowhere.md)", 2),
            ("![a diagram](nowhere.svg)", 1),
        ] {
            let found = dead_links(root, text, &known);
            assert_eq!(found.len(), expected, "{text}: {found:?}");
        }
    }
}

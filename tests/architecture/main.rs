//! What holds between the source files: who may import whom, where async code may stand, what may
//! differ between the modes. Each check is a function over source text that says what is wrong.

#![allow(unreachable_pub, reason = "a test program has no outside")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

mod guides;
mod imports;
mod rooms;
mod rules;
mod the_checks;
mod tokens;

use guides::{dead_links, guides, labels, lines_of_code, uncompiled};
use imports::{TOP, floor_of, module_of, upward_imports};
use rooms::misplaced_imports;
use rules::*;
use tokens::{Token, lex};

const SEAMS: [&str; 2] = ["asynchronous.rs", "blocking.rs"];

#[test]
fn imports_point_downward() {
    assert_all(|file| upward_imports(&file.path, &file.tokens));
}

#[test]
fn rooms_import_from_lower_rooms_by_file() {
    assert_all(|file| misplaced_imports(&file.path, &file.tokens));
}

#[test]
fn below_the_clients_there_is_no_io_and_no_async() {
    assert_all(|file| match file.floor() {
        Some(floor) if floor < floor_of("client").unwrap_or(TOP) => knows_io(&file.tokens),
        _ => Vec::new(),
    });
}

#[test]
fn below_the_clients_nothing_knows_the_modes() {
    assert_all(|file| match file.floor() {
        Some(floor) if floor < floor_of("client").unwrap_or(TOP) => match &*file.path {
            // It declares the one file that does.
            "error/mod.rs" => all_but_one(mode_gates(&file.tokens)),
            "error/clients.rs" => mode_gates(&file.tokens),
            path if path.starts_with("tls/") => mode_gates(&file.tokens),
            _ => [mode_gates(&file.tokens), names_reqwest(&file.tokens)].concat(),
        },
        _ => Vec::new(),
    });
}

#[test]
fn the_shared_source_has_no_async_blocks() {
    assert_all(|file| match file.module() {
        "client" => async_blocks(&file.tokens),
        _ => Vec::new(),
    });
}

#[test]
fn the_shared_source_has_no_cfg_but_on_modules() {
    assert_all(|file| match file.module() {
        "client" => conditions(&file.tokens),
        _ => Vec::new(),
    });
}

#[test]
fn the_toggle_of_maybe_async_is_not_used() {
    assert_all(|file| toggles(&file.tokens));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert!(!manifest.contains("is_sync"), "Cargo.toml turns on is_sync");
}

#[test]
fn the_seams_are_small_and_know_no_oauth() {
    assert_all(|file| match file.is_seam() {
        true => [too_long_a_seam(&file.text), parameters(&file.tokens)].concat(),
        false => Vec::new(),
    });
}

#[test]
fn no_file_is_too_long() {
    assert_all(|file| too_long(&file.text));
}

#[test]
fn no_folder_has_too_many_files() {
    let files = sources();
    let mut folders = BTreeMap::<&str, usize>::new();
    for file in &files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
    }
    folders.retain(|_, count| *count > FOLDER_FILES);
    assert!(
        folders.is_empty(),
        "more than {FOLDER_FILES} files: {folders:?}"
    );
}

#[test]
fn a_type_name_stands_for_one_thing() {
    let files = sources();
    let files = files.iter().map(|file| (&*file.path, &*file.tokens));
    let repeated = repeated_types(files);
    assert!(repeated.is_empty(), "\n{}", repeated.join("\n"));
}

#[test]
fn both_seams_define_what_the_clients_import() {
    let text = |path: &str| fs::read_to_string(root().join("src").join(path)).expect("a file");
    let imported = imported_from_parent(&lex(&text("client/mod.rs")));
    assert!(imported.contains("maybe_async"), "{imported:?}");
    for seam in SEAMS {
        let defined = defined(&lex(&text(seam)));
        let missing: Vec<_> = imported.difference(&defined).collect();
        assert!(missing.is_empty(), "{seam} does not define {missing:?}");
    }
}

#[test]
fn guides_are_pages_and_their_links_lead_somewhere() {
    let root = root();
    let text = |path: &Path| fs::read_to_string(path).expect("a file");
    let known = labels(&text(&root.join("src/guide/links.md")));
    let pages = text(&root.join("src/guide.rs")) + &text(&root.join("src/lib.rs"));
    for path in guides(&root) {
        let below = path.strip_prefix(&root).expect("a path below the root");
        let include = format!("include_str!(\"../{}\")", below.display());
        assert!(pages.contains(&include), "src/guide.rs has no {below:?}");
        let folder = path.parent().expect("a folder");
        let wrong = dead_links(folder, &text(&path), &known);
        assert!(wrong.is_empty(), "{below:?}\n{}", wrong.join("\n"));
    }
}

#[test]
fn uncompiled_code_of_guides_is_compiled_elsewhere() {
    let root = root();
    let text = |path: &Path| fs::read_to_string(path).expect("a file");
    // The guide is compiled with the feature `login`.
    let compiled = ["examples/axum_login/src/main.rs", "docs/command-line.md"];
    let compiled = compiled.map(|path| text(&root.join(path)));
    let mut pieces = 0;
    for path in guides(&root) {
        for piece in uncompiled(&text(&path)) {
            let is_compiled = compiled.iter().any(|text| text.contains(piece));
            assert!(is_compiled, "{path:?} has:\n{piece}");
            pieces += 1;
        }
    }
    assert!(pieces > 0);
}

#[test]
fn examples_of_logins_stay_short() {
    let text = |path: &str| fs::read_to_string(root().join(path)).expect("a file");
    let web = lines_of_code(&text("examples/axum_login/src/main.rs"));
    assert!(web <= 120, "{web} lines of code");
    // What a program of one mode has.
    for (example, most) in [("cli_login", 18), ("device", 15)] {
        let program = text(&format!("examples/{example}.rs"));
        for (mode, _) in program
            .match_indices("fn blocking")
            .chain(program.match_indices("async fn "))
        {
            let function = program[mode..].split("\n}\n").next().unwrap_or_default();
            let count = lines_of_code(function) + 1;
            assert!(count <= most, "{example}: {count} lines of code");
        }
    }
}

#[test]
fn the_store_in_sql_stays_short() {
    let path = root().join("examples/sql_token_store/src/store.rs");
    let lines = lines_of_code(&fs::read_to_string(path).expect("a file"));
    assert!(lines < 60, "{lines} lines of code");
}

struct File {
    /// Below `src`, with `/`.
    path: String,
    text: String,
    tokens: Vec<Token>,
}

impl File {
    fn module(&self) -> &str {
        module_of(&self.path)
    }

    /// The two files in which the modes differ, and their folders.
    fn is_seam(&self) -> bool {
        ["asynchronous", "blocking"].contains(&self.module())
    }

    fn floor(&self) -> Option<u8> {
        floor_of(self.module())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<File> {
    fn walk(folder: &Path, src: &Path, into: &mut Vec<File>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, src, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let below = path.strip_prefix(src).expect("a path below src");
                into.push(File {
                    path: below.to_str().expect("UTF-8").replace('\\', "/"),
                    tokens: lex(&text),
                    text,
                });
            }
        }
    }
    let (src, mut files) = (root().join("src"), Vec::new());
    walk(&src, &src, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    files
}

/// Fails with all that `check` finds in any file.
fn assert_all(check: impl Fn(&File) -> Vec<String>) {
    let mut wrong = Vec::new();
    for file in sources() {
        let found = check(&file).into_iter();
        wrong.extend(found.map(|problem| format!("src/{}: {problem}", file.path)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

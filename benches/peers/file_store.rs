//! `FileTokenStore` beside the least that takes: a renewal (lease, reading again, replacing, giving
//! the lease back) beside a file that is written, synced and renamed, and a first load beside
//! reading and parsing by hand. Turn by turn in one run, in a folder of the working directory.
//!
//! With the arguments `renewals COUNT` or `loads COUNT` it only does that, for `strace -c`.

#[path = "../support/interleaved.rs"]
mod interleaved;

use std::{
    fs::{self, File},
    hint::black_box,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use interleaved::measured;
use oauth_twin::{BoxError, FileTokenStore, StoredToken, Token};

const ROUNDS: usize = 201;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = Folder::new()?;
    let path = folder.0.join("token.json");
    let store = FileTokenStore::new(&path);
    renew(&store, "0")?;
    match arguments.as_slice() {
        [what, count] if what == "renewals" => {
            return (0..count.parse()?).try_for_each(|n: u32| renew(&store, &n.to_string()));
        }
        [what, count] if what == "loads" => {
            return (0..count.parse()?).try_for_each(|_| load(&path).map(drop));
        }
        _ => {}
    }
    let text = fs::read(&path)?;
    let by_hand = folder.0.join("by-hand.json");
    let mut number = 0;
    let [ours, kept, written, durable] = measured(
        ROUNDS,
        1,
        [
            &mut || {
                number += 1;
                renew(&store, &number.to_string()).expect("a renewal");
            },
            &mut || {
                let stored = store.read().expect("a file").expect("a token");
                let refresh_token = stored.token.as_ref().and_then(Token::refresh_token);
                let refresh_token = refresh_token.expect("a refresh token").expose_secret();
                renew(&store, refresh_token).expect("a renewal");
            },
            &mut || write(&by_hand, &text).expect("a file"),
            &mut || {
                write(&by_hand, &text)
                    .and_then(|()| File::open(&folder.0)?.sync_all())
                    .expect("a file");
            },
        ],
    );
    println!(
        "a renewal: {:.0} us; beside writing, one fsync and renaming ({:.0} us) {:.2}, beside the \
         same with an fsync of the folder ({:.0} us) {:.2}",
        ours / 1e3,
        written / 1e3,
        ours / written,
        durable / 1e3,
        ours / durable
    );
    let [ours, by_hand] = measured(
        ROUNDS,
        50,
        [&mut || drop(black_box(load(&path))), &mut || {
            drop(black_box(parse(&path)))
        }],
    );
    println!(
        "a renewal that keeps its refresh token: {:.0} us; beside one fsync {:.2}",
        kept / 1e3,
        kept / written
    );
    println!(
        "a first load: {:.1} us; beside reading and parsing ({:.1} us) {:.2}",
        ours / 1e3,
        by_hand / 1e3,
        ours / by_hand
    );
    Ok(())
}

fn token(refresh_token: &str) -> Token {
    let now = SystemTime::now();
    Token::new("mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J")
        .with_refresh_token(refresh_token)
        .with_scope("reports:read")
        .with_issued_at(now)
        .with_expires_at(now + Duration::from_secs(3600))
}

/// As a client does it, without the request.
fn renew(store: &FileTokenStore, refresh_token: &str) -> Result<(), BoxError> {
    let lease = store.try_lease()?.ok_or("the lease is taken")?;
    let version = store.read()?.map_or(0, |stored| stored.version);
    if !store.replace(&StoredToken::new(Some(token(refresh_token)), version + 1))? {
        return Err("another version".into());
    }
    drop(lease);
    Ok(())
}

fn load(path: &Path) -> Result<Option<StoredToken>, BoxError> {
    FileTokenStore::new(path).read()
}

fn parse(path: &Path) -> Result<StoredToken, BoxError> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Folder on the disk of the working directory, removed at the end: a temporary folder may be in
/// memory.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::current_dir()?.join(format!("file-store-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

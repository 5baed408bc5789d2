//! Files of a program in the platform's own folder, with a profile for each account.

use std::{ffi::OsStr, fs, io::ErrorKind, path::PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use crate::{
    encoding::percent_decode,
    error::{BoxError, Error, Result},
    token_store::{
        FileTokenStore, UserKey,
        file_token_store::folder,
        user_key::{HELPER_SUFFIXES, is_device, with_escaped},
    },
};

const FILE_NAME: &str = "token.json";

impl FileTokenStore {
    /// Creates a store in the platform's own folder for such files: for a program `reports` the file
    /// is `~/.local/state/reports/token.json` on Linux (or in `$XDG_STATE_HOME`),
    /// `~/Library/Application Support/reports/token.json` on macOS, and
    /// `%LOCALAPPDATA%\reports\token.json` on Windows. The folder is created with the first token.
    ///
    /// ```
    /// use oauth_twin::FileTokenStore;
    ///
    /// let store = FileTokenStore::for_app("oauth-twin-docs")?;
    /// let work = store.profile("work")?;                          // token.work.json beside it
    /// assert!(store.list()?.is_empty());                          // nobody has logged in yet
    /// # let _ = work;
    /// # Ok::<(), oauth_twin::BoxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the name is not that of a folder on each platform: letters, digits, `-`, `_`, and spaces
    /// and dots within. If the user has no home folder.
    pub fn for_app(name: &str) -> Result<Self> {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_. ".contains(char);
        let is_name = !name.is_empty()
            && name.chars().all(is_plain)
            && !name.starts_with(['.', ' ', '-'])
            && !name.ends_with(['.', ' '])
            && name.len() <= 64
            && !is_device(&name.to_ascii_lowercase());
        if !is_name {
            return Err(Error::usage(format!(
                "`{name}` cannot be the folder of a program; use letters, digits, `-` and `_`"
            )));
        }
        let folder = state_folder().ok_or_else(|| {
            Error::usage("the user has no home folder; use FileTokenStore::new with a path")
        })?;
        Ok(Self::new(folder.join(name).join(FILE_NAME)))
    }

    /// Creates a store beside this one for another account of the same program: `token.work.json`
    /// beside `token.json` for the profile `work`. Any name will do, as it is encoded.
    ///
    /// # Errors
    ///
    /// If the name is empty, or too long for a file name.
    pub fn profile(&self, name: &str) -> Result<Self> {
        let key = UserKey::new(name)?;
        if !key.is_readable() {
            return Err(Error::usage("the name of the profile is too long"));
        }
        let (stem, extension) = self.name_parts();
        // So that a profile of a profile is not one of this store.
        let mut key = key.as_str().replace('.', "%2e");
        // Without an extension, it would be that of a file beside this store's own.
        if extension.is_empty() && HELPER_SUFFIXES.contains(&&*key) {
            key = with_escaped(&key, 0);
        }
        let file_name = format!("{stem}.{key}{extension}");
        Ok(Self::new(self.path.with_file_name(file_name)))
    }

    /// Returns the names of the profiles with a token, in order. The token of this store itself is not
    /// among them.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read. A profile whose file cannot be read is listed.
    pub fn list(&self) -> Result<Vec<String>, BoxError> {
        let unreadable = |error| self.io_error("is in a folder that could not be read", error);
        let entries = match fs::read_dir(folder(&self.path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file_name = entry.map_err(unreadable)?.file_name();
            if let Some((name, profile)) = self.profile_in(&file_name)
                && profile.may_have_token()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The profile whose file has this name.
    fn profile_in(&self, file_name: &OsStr) -> Option<(String, Self)> {
        let (stem, extension) = self.name_parts();
        let key = file_name.to_str()?.strip_prefix(&stem)?.strip_prefix('.')?;
        let name = percent_decode(key.strip_suffix(&extension)?.as_bytes())?;
        let profile = self.profile(&name).ok()?;
        (profile.path.file_name() == Some(file_name)).then_some((name, profile))
    }

    fn may_have_token(&self) -> bool {
        match self.read() {
            Ok(stored) => stored.is_some_and(|stored| stored.token.is_some()),
            Err(_) => true,
        }
    }

    /// `token` and `.json`.
    fn name_parts(&self) -> (String, String) {
        let text = |part: &OsStr| part.to_string_lossy().into_owned();
        let stem = self.path.file_stem().map(text);
        let extension = self.path.extension().map(text);
        let extension = extension.map(|extension| format!(".{extension}"));
        (stem.unwrap_or_default(), extension.unwrap_or_default())
    }
}

/// The user's folder for what programs keep on this machine; none without a home folder.
pub(in crate::token_store) fn state_folder() -> Option<PathBuf> {
    let base = choose_native_strategy().ok()?;
    Some(app_folder(&base))
}

/// The platform's folder for what a program keeps on this machine: what is stored must not roam to
/// another one, where the same refresh token would be used without a common lock.
fn app_folder(base: &impl BaseStrategy) -> PathBuf {
    let of_platform = || match cfg!(windows) {
        true => base.cache_dir(),
        false => base.data_dir(),
    };
    base.state_dir().unwrap_or_else(of_platform)
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;
    use crate::{
        oauth2::token::Token,
        token_store::{StoredToken, file_token_store::tests::Folder},
    };

    fn log_in(store: &FileTokenStore) {
        let stored = StoredToken::new(Some(Token::new("t")), 1);
        assert!(store.replace(&stored).expect("a file"));
    }

    #[test]
    fn the_file_is_in_the_folder_of_the_program() {
        let store = FileTokenStore::for_app("oauth-twin-tests").expect("a store");
        assert!(store.path.is_absolute(), "{store:?}");
        assert!(store.path.ends_with("oauth-twin-tests/token.json"));
        if let Some(folder) = env::var_os("OAUTH_TWIN_TEST_STATE") {
            assert!(store.path.starts_with(folder), "{store:?}");
        }
    }

    /// In a process of its own, as the environment belongs to all tests.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_folder_is_that_of_the_platform() {
        let folder = Folder::new("state");
        let test = "the_file_is_in_the_folder_of_the_program";
        let run = |state: &PathBuf, expected: PathBuf| {
            let output = std::process::Command::new(env::current_exe().expect("a program"))
                .args([test, "--nocapture"])
                .env("HOME", &folder.0)
                .env("XDG_STATE_HOME", state)
                .env("OAUTH_TWIN_TEST_STATE", expected)
                .output()
                .expect("a process");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{text}"
            );
        };
        run(&folder.0.join("xdg"), folder.0.join("xdg"));
        run(&PathBuf::new(), folder.0.join(".local/state"));
        // Nothing was created.
        assert!(!folder.0.exists());
    }

    #[test]
    fn a_program_has_the_name_of_a_folder() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc",
            "C:x",
            ".x",
            "x.",
            " x",
            "x ",
            "-x",
            "nul",
            "Con.app",
            "ä",
            "a\0b",
            &"x".repeat(65),
        ] {
            let error = FileTokenStore::for_app(name).expect_err(name);
            assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
            assert!(
                error.to_string().contains("cannot be the folder"),
                "{error}"
            );
        }
        for name in ["x", "Reports CLI", "com.example.reports", "a_b-1"] {
            FileTokenStore::for_app(name).expect(name);
        }
    }

    #[test]
    fn each_profile_has_a_file_of_its_own() {
        let folder = Folder::new("profiles");
        let store = FileTokenStore::new(folder.0.join("token.json"));
        assert_eq!(store.list().expect("no folder"), [""; 0]);
        let names = ["../x", "Work", "a.b", "a/b", "json.lease", "work"];
        for name in names {
            log_in(&store.profile(name).expect("a name"));
        }
        log_in(&store);
        log_in(
            &store
                .profile("a")
                .and_then(|a| a.profile("b"))
                .expect("names"),
        );
        let logged_out = store.profile("logged out").expect("a name");
        log_in(&logged_out);
        assert!(
            logged_out
                .replace(&StoredToken::new(None, 2))
                .expect("a file")
        );
        fs::write(folder.0.join("token.unreadable.json"), "{").expect("a file");
        fs::write(folder.0.join("token.no%2Fkey.json"), "{}").expect("a file");
        fs::write(folder.0.join("other.work.json"), "{}").expect("a file");
        let mut expected = names.to_vec();
        expected.insert(5, "unreadable");
        assert_eq!(store.list().expect("a folder"), expected);
        let of_a = store.profile("a").expect("a name");
        assert_eq!(of_a.list().expect("a folder"), ["b"]);
        let files = fs::read_dir(&folder.0).expect("a folder");
        assert!(files.flatten().all(|file| file.path().is_file()));
    }

    #[test]
    fn no_profile_and_no_user_has_a_file_that_belongs_to_another_store() {
        let folder = Folder::new("helpers");
        let by_user = |name: &str| {
            let user = UserKey::new(name).expect("a name");
            FileTokenStore::new(folder.0.join(user.as_str()))
        };
        let main = by_user("token");
        let client = r#"{"issuer": "https://id.example", "client_id": "1"}"#;
        let client = serde_json::from_str(client).expect("a registration");
        let helpers = |store: &FileTokenStore| {
            let _lease = store.try_lease().expect("a lease").expect("free");
            let registered = store.replace_registration("https://id.example", Some(&client));
            registered.expect("kept");
            let files = fs::read_dir(&folder.0).expect("a folder");
            let names = files.map(|file| file.expect("a file").file_name());
            let names = names.map(|name| name.into_string().expect("text"));
            names.collect::<Vec<_>>()
        };
        log_in(&main);
        for name in helpers(&main) {
            let suffix = name.strip_prefix("token").expect("a file of this store");
            let suffix = suffix.strip_prefix('.').unwrap_or("new");
            assert!(HELPER_SUFFIXES.contains(&suffix), "{name}");
        }
        for suffix in HELPER_SUFFIXES {
            let profile = main.profile(suffix).expect("a name");
            let user = by_user(&format!("token.{suffix}"));
            for other in [&profile, &user] {
                assert_eq!(other.read().expect("no file"), None, "{other:?}");
                log_in(other);
            }
        }
        helpers(&main);
        for suffix in HELPER_SUFFIXES {
            let profile = main.profile(suffix).expect("a name");
            assert!(profile.read().expect("a token").is_some(), "{suffix}");
        }
        assert!(main.read().expect("a token").is_some());
        // Those of the users are in profiles that have the same names.
        assert_eq!(
            main.list().expect("a folder"),
            ["clients", "lease", "lock", "new"]
        );
    }

    #[test]
    fn a_profile_needs_a_name_of_some_length() {
        let store = FileTokenStore::new("token");
        assert!(store.profile("").is_err());
        let error = store.profile(&"x".repeat(300)).expect_err("too long");
        assert_eq!(error.to_string(), "the name of the profile is too long");
        // Nor does a file need an extension or a folder.
        let work = store.profile("work").expect("a name");
        assert_eq!(work.path.as_os_str(), "token.work");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_is_an_error() {
        let folder = Folder::new("unreadable");
        fs::write(&folder.0, "").expect("a file");
        let store = FileTokenStore::new(folder.0.join("token.json"));
        let error = store.list().expect_err("no folder").to_string();
        assert!(
            error.contains("is in a folder that could not be read"),
            "{error}"
        );
        fs::remove_file(&folder.0).expect("a file");
    }
}

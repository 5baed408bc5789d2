//! Where credentials are looked for.
//!
//! [AIP-4110](https://google.aip.dev/auth/4110#expected-behavior)

use std::path::PathBuf;

use crate::error::{Error, Result};

const FILE_NAME: &str = "application_default_credentials.json";

/// Where credentials are.
#[derive(Debug, PartialEq)]
pub(super) enum Location {
    /// In a file that was named.
    Named(PathBuf),
    /// In the file of gcloud.
    Gcloud(PathBuf),
    MetadataServer,
}

impl Location {
    /// The first of Google's order: the file that the environment names, that of gcloud, the
    /// metadata server.
    pub(super) fn find(
        variable: &dyn Fn(&str) -> Option<String>,
        exists: impl Fn(&PathBuf) -> bool,
    ) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(file) = set("GOOGLE_APPLICATION_CREDENTIALS") {
            return Ok(Self::Named(file.into()));
        }
        let folder = match (set("CLOUDSDK_CONFIG"), cfg!(windows)) {
            (Some(folder), _) => Some(PathBuf::from(folder)),
            (None, true) => set("APPDATA").map(|data| PathBuf::from(data).join("gcloud")),
            (None, false) => set("HOME").map(|home| PathBuf::from(home).join(".config/gcloud")),
        };
        if let Some(file) = folder.map(|folder| folder.join(FILE_NAME)).filter(exists) {
            return Ok(Self::Gcloud(file));
        }
        if set("NO_GCE_CHECK").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(Error::usage(
                "there are no credentials of Google, and NO_GCE_CHECK excludes the metadata \
                 server; set GOOGLE_APPLICATION_CREDENTIALS to a credential file, or run gcloud \
                 auth application-default login",
            ));
        }
        Ok(Self::MetadataServer)
    }
}

// The paths are those of Unix.
#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)], files: &[&str]) -> Result<Location> {
        let variable = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        Location::find(&variable, |file| {
            files.iter().any(|it| file == &PathBuf::from(it))
        })
    }

    #[test]
    fn the_order_of_google() {
        const GCLOUD: &str = "/home/a/.config/gcloud/application_default_credentials.json";
        let home = ("HOME", "/home/a");
        let named = ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json");
        let found = |variables: &[_], files: &[_]| find(variables, files).expect("a place");
        assert_eq!(
            found(&[home, named], &[GCLOUD]),
            Location::Named("/key.json".into())
        );
        // A named file that is missing is an error later, and not passed over.
        assert_eq!(found(&[named], &[]), Location::Named("/key.json".into()));
        assert_eq!(found(&[home], &[GCLOUD]), Location::Gcloud(GCLOUD.into()));
        let empty = ("GOOGLE_APPLICATION_CREDENTIALS", "");
        assert_eq!(
            found(&[home, empty], &[GCLOUD]),
            Location::Gcloud(GCLOUD.into())
        );
        assert_eq!(found(&[home], &[]), Location::MetadataServer);
        assert_eq!(found(&[], &[GCLOUD]), Location::MetadataServer);
        let other = ("CLOUDSDK_CONFIG", "/cfg");
        let file = "/cfg/application_default_credentials.json";
        assert_eq!(
            found(&[home, other], &[GCLOUD, file]),
            Location::Gcloud(file.into())
        );
        assert_eq!(found(&[home, other], &[GCLOUD]), Location::MetadataServer);
        assert!(find(&[home, ("NO_GCE_CHECK", "True")], &[]).is_err());
        assert_eq!(
            found(&[("NO_GCE_CHECK", "false")], &[]),
            Location::MetadataServer
        );
    }
}

//! Events of a login for its user.

use std::{fmt, time::Duration};

use url::Url;

use crate::wire::secure_url::without_query;

/// An event of a login that the user is to see.
///
/// By default it is written to standard error. A program with a surface of its own gets it by
/// [`on_prompt`](crate::InteractiveLogin::on_prompt):
///
/// ```
/// use oauth_twin::{InteractiveLogin, LoginPrompt};
///
/// let login = InteractiveLogin::new().on_prompt(|prompt| match prompt {
///     LoginPrompt::Browser { url, .. } => println!("Open {url}"),
///     LoginPrompt::Device { verification_uri, user_code, .. } => {
///         println!("Open {verification_uri} and enter {user_code}");
///     }
///     _ => {}
/// });
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum LoginPrompt {
    /// The page on which the user logs in.
    #[non_exhaustive]
    Browser {
        /// The page.
        url: Url,
        /// Whether a browser is being opened. Else the user has to open the page.
        opens: bool,
        /// Whether the address of the last page may be pasted at the terminal.
        takes_paste: bool,
    },
    /// The page on any device on which the user logs in and enters a code.
    #[non_exhaustive]
    Device {
        /// The page.
        verification_uri: Url,
        /// The code, to be shown also beside the complete address.
        user_code: String,
        /// The page with the code in it, for a link or a QR code.
        verification_uri_complete: Option<String>,
    },
    /// A pasted text that is not accepted.
    #[non_exhaustive]
    PasteRefused {
        /// The reason.
        reason: String,
    },
    /// A second of waiting for the user.
    #[non_exhaustive]
    Waiting {
        /// The time that is left.
        left: Duration,
    },
    /// A second of waiting for a login in another process.
    #[non_exhaustive]
    WaitingForOther {
        /// The time that is left.
        left: Duration,
    },
    /// The login is complete.
    Done,
}

/// Omits the query of the address and the codes.
impl fmt::Debug for LoginPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser {
                url,
                opens,
                takes_paste,
            } => f
                .debug_struct("Browser")
                .field("url", &without_query(url))
                .field("opens", opens)
                .field("takes_paste", takes_paste)
                .finish(),
            Self::Device {
                verification_uri, ..
            } => f
                .debug_struct("Device")
                .field("verification_uri", &without_query(verification_uri))
                .finish_non_exhaustive(),
            Self::PasteRefused { reason } => f
                .debug_struct("PasteRefused")
                .field("reason", reason)
                .finish(),
            Self::Waiting { left } => f.debug_struct("Waiting").field("left", left).finish(),
            Self::WaitingForOther { left } => f
                .debug_struct("WaitingForOther")
                .field("left", left)
                .finish(),
            Self::Done => f.write_str("Done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_state_and_no_code() {
        let url = Url::parse("https://id.example/a?state=hunter2").expect("a URL");
        let browser = LoginPrompt::Browser {
            url: url.clone(),
            opens: true,
            takes_paste: false,
        };
        assert_eq!(
            format!("{browser:?}"),
            "Browser { url: \"https://id.example/a\", opens: true, takes_paste: false }"
        );
        let device = LoginPrompt::Device {
            verification_uri: url,
            user_code: "hunter2".to_owned(),
            verification_uri_complete: Some("hunter2".to_owned()),
        };
        let text = format!("{device:?}");
        assert_eq!(
            text,
            "Device { verification_uri: \"https://id.example/a\", .. }"
        );
    }
}

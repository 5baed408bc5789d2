//! What is left to say of a login whose token is kept.

use super::{
    super::{maybe_async, sleep, waiting::Deadline},
    loopback::TICK,
};
use crate::login::{browser::BrowserLaunch, prompt::LoginPrompt, surface::Surface};

/// Conclusion of a login, for the user to see once the terminal is theirs again.
pub(super) struct Conclusion {
    surface: Surface,
    browser: Option<(BrowserLaunch, Deadline)>,
}

impl Conclusion {
    pub(super) fn new(surface: Surface, browser: Option<(BrowserLaunch, Deadline)>) -> Self {
        Self { surface, browser }
    }

    /// Whether a text browser still has the terminal.
    fn has_to_wait(&mut self) -> bool {
        let browser = self.browser.as_mut();
        browser.is_some_and(|(browser, deadline)| {
            !browser.has_failed() && browser.has_terminal() && !deadline.is_over()
        })
    }
}

#[maybe_async]
impl Conclusion {
    /// Tells the user that the login is done.
    pub(super) async fn show(mut self) {
        while self.has_to_wait() {
            sleep(TICK).await;
        }
        self.surface.show(&LoginPrompt::Done);
    }
}

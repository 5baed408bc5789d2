//! The browser, opened without waiting for it.

use std::{
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
};

use url::Url;
use webbrowser::{Browser, BrowserOptions};

use crate::{error::BoxError, login::environment::Environment};

/// A function that opens a URL.
pub(crate) type Open = Arc<dyn Fn(&Url) -> Result<(), BoxError> + Send + Sync>;

/// A browser that is being opened, by a thread that ends once it is. Finding one takes a while, and
/// a text browser is open until the user ends it.
pub(crate) struct BrowserLaunch {
    ended: mpsc::Receiver<bool>,
    is_running: bool,
    /// Whether the browser may be a text browser, which has the terminal meanwhile.
    takes_terminal: bool,
}

impl BrowserLaunch {
    /// Opens `url`, as one argument and without a shell.
    pub(crate) fn start(url: &Url, open: Option<Open>, environment: Environment) -> Self {
        let (sender, ended) = mpsc::sync_channel(1);
        let takes_terminal = open.is_none() && environment.has_browser_variable();
        let url = url.clone();
        let spawned = thread::Builder::new().spawn(move || {
            let is_open = match open {
                Some(open) => open(&url).is_ok(),
                None => open_default(&url, environment),
            };
            // The login may have ended meanwhile.
            let _ = sender.send(is_open);
        });
        drop(spawned);
        Self {
            ended,
            is_running: true,
            takes_terminal,
        }
    }

    /// Whether it turns out just now that no browser could be opened.
    pub(crate) fn has_failed(&mut self) -> bool {
        match self.ended.try_recv() {
            Err(mpsc::TryRecvError::Empty) => false,
            ended => std::mem::replace(&mut self.is_running, false) && ended != Ok(true),
        }
    }

    /// Whether the terminal may belong to a text browser by now, until that ends.
    pub(crate) fn has_terminal(&self) -> bool {
        self.is_running && self.takes_terminal
    }
}

/// Opens the browser of the system.
fn open_default(url: &Url, environment: Environment) -> bool {
    // The crate would try PowerShell last, which is a shell.
    if environment.is_wsl && !environment.has_browser_variable() {
        let [program, arguments @ ..] = windows_command(url);
        let mut command = Command::new(program);
        command.args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        return command.status().is_ok_and(|status| status.success());
    }
    let mut options = BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(Browser::Default, url.as_str(), &options).is_ok()
}

/// The command by which Linux within Windows opens the browser of Windows.
fn windows_command(url: &Url) -> [&str; 3] {
    ["rundll32.exe", "url.dll,FileProtocolHandler", url.as_str()]
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_whole_url_is_one_argument_without_a_shell() {
        let url = Url::parse("https://id.example/a?b=c&client_id=d&x=%20'\"").expect("a URL");
        let [program, _, argument] = windows_command(&url);
        assert_eq!(argument, "https://id.example/a?b=c&client_id=d&x=%20%27%22");
        assert!(!["cmd.exe", "powershell.exe", "sh"].contains(&program));
    }

    #[test]
    fn a_failure_is_told_once() {
        let url = Url::parse("https://id.example/").expect("a URL");
        let failing: Open = Arc::new(|_| Err("no browser".into()));
        let mut opening = BrowserLaunch::start(&url, Some(failing), Environment::default());
        let begun = Instant::now();
        while !opening.has_failed() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it did not fail");
            thread::yield_now();
        }
        assert!(!opening.has_failed());
        // Nor does one that ends without a word succeed.
        let panicking: Open = Arc::new(|_| panic!("a bug of the program"));
        let mut opening = BrowserLaunch::start(&url, Some(panicking), Environment::default());
        while !opening.has_failed() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it did not fail");
            thread::yield_now();
        }
    }

    #[test]
    fn a_browser_of_the_variable_has_the_terminal_until_it_ends() {
        for (takes_terminal, is_open) in [(true, true), (true, false), (false, true)] {
            let (sender, ended) = mpsc::sync_channel(1);
            let mut opening = BrowserLaunch {
                ended,
                is_running: true,
                takes_terminal,
            };
            assert!(!opening.has_failed());
            assert_eq!(opening.has_terminal(), takes_terminal);
            sender.send(is_open).expect("a launch");
            assert_eq!(opening.has_failed(), !is_open);
            assert!(!opening.has_terminal());
        }
    }
}

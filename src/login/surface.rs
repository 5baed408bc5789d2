//! The surface on which a user sees the login: standard error, or one of the program's own.

use std::{
    env,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::login::prompt::LoginPrompt;

/// A function that gets the events.
pub(crate) type OnPrompt = Arc<dyn Fn(&LoginPrompt) + Send + Sync>;

/// The surface of one login.
pub(crate) struct Surface {
    kind: SurfaceKind,
    /// The time at which the wait was last shown.
    shown_at: Option<Instant>,
}

enum SurfaceKind {
    Nothing,
    Own(OnPrompt),
    Text(PromptText),
}

/// The text of events.
#[derive(Clone, Copy, Debug, Default)]
struct PromptText {
    is_terminal: bool,
    has_links: bool,
    /// Whether the last line is the one about the wait, to be written over.
    is_waiting: bool,
    /// Whether the line about the wait has been written to something other than a terminal.
    has_waited: bool,
}

/// The interval at which the wait is shown.
const TICK: Duration = Duration::from_secs(1);

impl Surface {
    pub(crate) fn new(own: Option<OnPrompt>, is_quiet: bool, is_terminal: bool) -> Self {
        let kind = match own {
            Some(own) => SurfaceKind::Own(own),
            None if is_quiet => SurfaceKind::Nothing,
            None => {
                let is_terminal =
                    is_terminal && env::var_os("TERM").is_none_or(|term| term != "dumb");
                SurfaceKind::Text(PromptText {
                    is_terminal,
                    has_links: is_terminal && has_links(|name| env::var(name).ok()),
                    ..PromptText::default()
                })
            }
        };
        Self {
            kind,
            shown_at: None,
        }
    }

    pub(crate) fn show(&mut self, prompt: &LoginPrompt) {
        match &mut self.kind {
            SurfaceKind::Nothing => {}
            SurfaceKind::Own(own) => own(prompt),
            SurfaceKind::Text(text) => write(&text.of(prompt)),
        }
    }

    /// Records that a line was typed behind the one about the wait, and has ended it.
    pub(crate) fn line_was_typed(&mut self) {
        self.shown_at = None;
        if let SurfaceKind::Text(text) = &mut self.kind {
            text.is_waiting = false;
        }
    }

    /// Shows the wait, once a second.
    pub(crate) fn tick(&mut self, prompt: impl FnOnce() -> LoginPrompt) {
        if self
            .shown_at
            .is_none_or(|shown_at| shown_at.elapsed() >= TICK)
        {
            self.shown_at = Some(Instant::now());
            self.show(&prompt());
        }
    }
}

/// No half line is left where a login ends, however it does.
impl Drop for Surface {
    fn drop(&mut self) {
        if let SurfaceKind::Text(text) = &mut self.kind {
            write(text.end_of_wait());
        }
    }
}

/// Standard error may be closed, which ends no login.
fn write(text: &str) {
    let mut error = std::io::stderr().lock();
    let _ = error
        .write_all(text.as_bytes())
        .and_then(|()| error.flush());
}

/// Whether the terminal shows links that are longer than a line.
fn has_links(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    // Between the program and the terminal they may lose links.
    if is_set("TMUX") || is_set("STY") {
        return false;
    }
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let vte = variable("VTE_VERSION").and_then(|version| version.parse::<u32>().ok());
    ["iTerm.app", "WezTerm", "vscode", "ghostty"].contains(&&*program)
        || vte.is_some_and(|version| version >= 5000)
        || ["KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION"]
            .iter()
            .any(|name| is_set(name))
}

impl PromptText {
    /// The text of an event.
    fn of(&mut self, prompt: &LoginPrompt) -> String {
        let end = self.end_of_wait();
        let link = |url: &str| self.link(url);
        match prompt {
            LoginPrompt::Browser {
                url,
                opens,
                takes_paste,
            } => {
                let before = match opens {
                    true => {
                        "The login page opens in the browser. If it does not, open this address:"
                    }
                    false => "To log in, open this address in a browser:",
                };
                let paste = match takes_paste {
                    true => {
                        "If the last page cannot be reached, paste its address here, and press Enter.\n"
                    }
                    false => "",
                };
                format!("{end}{before}\n\n{}\n\n{paste}", link(url.as_str()))
            }
            LoginPrompt::Device {
                verification_uri,
                user_code,
                verification_uri_complete,
            } => {
                let code = grouped(user_code);
                let code = match self.is_terminal {
                    true => format!("\u{1b}[1m{code}\u{1b}[0m"),
                    false => code,
                };
                let uri = link(verification_uri.as_str());
                let complete = match verification_uri_complete {
                    Some(uri) => format!(
                        "Or open this address, which has the code in it:\n\n{}\n\n",
                        link(uri)
                    ),
                    None => String::new(),
                };
                format!(
                    "{end}To log in, open this address on any device:\n\n{uri}\n\n\
                     and enter this code:\n\n{code}\n\n{complete}"
                )
            }
            LoginPrompt::PasteRefused { reason } => {
                format!("{end}That is not accepted: {reason}\n")
            }
            LoginPrompt::Waiting { left } => self.wait("Waiting for the login", *left, end),
            LoginPrompt::WaitingForOther { left } => {
                self.wait("Waiting for the login in another process", *left, end)
            }
            LoginPrompt::Done => format!("{end}Logged in.\n"),
        }
    }

    /// The line about the wait: written over on a terminal, where what is typed behind it stays;
    /// written once elsewhere.
    fn wait(&mut self, what: &str, left: Duration, end: &str) -> String {
        let seconds = left.as_secs();
        let line = format!("{what} ({}:{:02} left) ", seconds / 60, seconds % 60);
        if !self.is_terminal {
            return match std::mem::replace(&mut self.has_waited, true) {
                true => String::new(),
                false => format!("{}\n", line.trim_end()),
            };
        }
        // `end` has ended the line.
        let was_waiting = std::mem::replace(&mut self.is_waiting, true) || !end.is_empty();
        match was_waiting {
            true => format!("\u{1b}7\r{line}\u{1b}8"),
            false => line,
        }
    }

    /// The end of the line about the wait, if there is such a line.
    fn end_of_wait(&mut self) -> &'static str {
        match std::mem::take(&mut self.is_waiting) {
            true => "\r\u{1b}[K",
            false => "",
        }
    }

    /// An address, alone on a line that nothing breaks.
    fn link(self, url: &str) -> String {
        match self.has_links {
            true => format!("\u{1b}]8;;{url}\u{1b}\\{url}\u{1b}]8;;\u{1b}\\"),
            false => url.to_owned(),
        }
    }
}

/// A code in groups of four or three, unless the server has grouped it.
fn grouped(code: &str) -> String {
    let is_one_word = code.chars().all(char::is_alphanumeric);
    let length = code.chars().count();
    let group = match length {
        8 | 12 | 16 => 4,
        6 | 9 => 3,
        _ => return code.to_owned(),
    };
    if !is_one_word {
        return code.to_owned();
    }
    let letters: Vec<char> = code.chars().collect();
    let groups = letters
        .chunks(group)
        .map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    const ADDRESS: &str = "https://id.example/authorize?client_id=a&state=b";

    fn browser(opens: bool, takes_paste: bool) -> LoginPrompt {
        let url = Url::parse(ADDRESS).expect("a URL");
        LoginPrompt::Browser {
            url,
            opens,
            takes_paste,
        }
    }

    fn device(code: &str, complete: Option<&str>) -> LoginPrompt {
        LoginPrompt::Device {
            verification_uri: Url::parse("https://id.example/device").expect("a URL"),
            user_code: code.to_owned(),
            verification_uri_complete: complete.map(str::to_owned),
        }
    }

    fn waiting(seconds: u64) -> LoginPrompt {
        let left = Duration::from_secs(seconds);
        LoginPrompt::Waiting { left }
    }

    fn terminal(has_links: bool) -> PromptText {
        PromptText {
            is_terminal: true,
            has_links,
            ..PromptText::default()
        }
    }

    #[test]
    fn an_address_stands_alone_on_one_unbroken_line() {
        for opens in [true, false] {
            for takes_paste in [true, false] {
                for mut text in [terminal(false), PromptText::default()] {
                    let text = text.of(&browser(opens, takes_paste));
                    assert_eq!(
                        text.lines().filter(|line| *line == ADDRESS).count(),
                        1,
                        "{text}"
                    );
                    assert_eq!(text.contains("paste"), takes_paste);
                    assert_eq!(text.contains("opens in the browser"), opens);
                }
            }
        }
        let text = terminal(true).of(&browser(true, true));
        let link = format!("\u{1b}]8;;{ADDRESS}\u{1b}\\{ADDRESS}\u{1b}]8;;\u{1b}\\");
        assert!(text.lines().any(|line| line == link), "{text:?}");
    }

    #[test]
    fn a_code_is_grouped_and_shown_beside_the_complete_address() {
        let complete = "https://id.example/device?user_code=ABCDEFGH";
        let text = PromptText::default().of(&device("ABCDEFGH", Some(complete)));
        for line in ["https://id.example/device", "ABCD EFGH", complete] {
            assert!(text.lines().any(|given| given == line), "{line}: {text}");
        }
        let text = terminal(false).of(&device("WDJB-MJHT", None));
        assert!(text.contains("\n\u{1b}[1mWDJB-MJHT\u{1b}[0m\n"), "{text:?}");
        for (code, shown) in [
            ("123456", "123 456"),
            ("123456789", "123 456 789"),
            ("ABCDEFGHIJKL", "ABCD EFGH IJKL"),
            ("WDJB-MJHT", "WDJB-MJHT"),
            ("ABCDE", "ABCDE"),
            ("12-456", "12-456"),
        ] {
            assert_eq!(grouped(code), shown);
        }
    }

    #[test]
    fn the_wait_is_one_line_that_is_written_over() {
        let mut text = terminal(false);
        assert_eq!(text.of(&waiting(299)), "Waiting for the login (4:59 left) ");
        assert_eq!(
            text.of(&waiting(298)),
            "\u{1b}7\rWaiting for the login (4:58 left) \u{1b}8"
        );
        let refused = LoginPrompt::PasteRefused {
            reason: "no".to_owned(),
        };
        // As after a line that was typed.
        text.is_waiting = false;
        assert_eq!(text.of(&refused), "That is not accepted: no\n");
        assert_eq!(text.of(&waiting(297)), "Waiting for the login (4:57 left) ");
        assert_eq!(text.of(&LoginPrompt::Done), "\r\u{1b}[KLogged in.\n");
        assert_eq!(text.end_of_wait(), "");
    }

    #[test]
    fn elsewhere_the_wait_is_told_once_and_there_are_no_escapes() {
        let mut text = PromptText::default();
        assert_eq!(text.of(&waiting(60)), "Waiting for the login (1:00 left)\n");
        assert_eq!(text.of(&waiting(59)), "");
        assert_eq!(text.of(&LoginPrompt::Done), "Logged in.\n");
        for prompt in [browser(true, true), device("ABCDEFGH", None)] {
            assert!(!text.of(&prompt).contains('\u{1b}'));
        }
    }

    #[test]
    fn links_are_for_terminals_that_know_them() {
        let with = |set: &[(&str, &str)]| {
            let value = |name: &str| {
                let found = set.iter().find(|(given, _)| *given == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            has_links(value)
        };
        assert!(with(&[("TERM_PROGRAM", "WezTerm")]));
        assert!(with(&[("VTE_VERSION", "7600")]));
        assert!(!with(&[("VTE_VERSION", "4602")]));
        assert!(!with(&[("VTE_VERSION", "7600"), ("TMUX", "/tmp/tmux,1,0")]));
        assert!(!with(&[]) && !with(&[("TERM_PROGRAM", "Apple_Terminal")]));
    }
}

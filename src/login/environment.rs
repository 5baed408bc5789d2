//! The environment of the program: whether it can open a browser, and whether a user sees its output.

use std::{env, io::IsTerminal as _, path::Path};

use crate::login::input::TypedLines;

/// Facts about the environment that decide how a user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Whether the desktop needs no display that is named, as on macOS and Windows.
    has_desktop: bool,
    has_display: bool,
    has_browser_variable: bool,
    is_ssh: bool,
    is_container: bool,
    pub(crate) is_wsl: bool,
    /// Whether lines of a terminal can be read without waiting for them, as on Unix.
    reads_lines: bool,
    pub(crate) input_is_terminal: bool,
    pub(crate) error_is_terminal: bool,
}

/// Files that are there in a container.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

impl Environment {
    pub(crate) fn detect() -> Self {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            reads_lines: TypedLines::IS_SUPPORTED,
            input_is_terminal: std::io::stdin().is_terminal(),
            error_is_terminal: std::io::stderr().is_terminal(),
            is_container: CONTAINER_FILES.iter().any(|file| Path::new(file).exists())
                || is_set("KUBERNETES_SERVICE_HOST"),
            ..Self::of(is_set, cfg!(any(windows, target_os = "macos")))
        }
    }

    fn of(is_set: impl Fn(&str) -> bool, has_desktop: bool) -> Self {
        let any = |names: &[&str]| names.iter().any(|name| is_set(name));
        Self {
            has_desktop,
            has_display: any(&["DISPLAY", "WAYLAND_DISPLAY"]),
            has_browser_variable: is_set("BROWSER"),
            is_ssh: any(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]),
            is_wsl: any(&["WSL_DISTRO_NAME", "WSL_INTEROP"]),
            ..Self::default()
        }
    }

    /// Whether a browser can be opened, at which the user sits.
    pub(crate) fn can_open(self) -> bool {
        // Set on purpose, also by editors that forward ports of a remote machine.
        if self.has_browser_variable {
            return true;
        }
        // A display of a remote session is slow at best, and its browser is not the user's own.
        if self.is_ssh {
            return false;
        }
        self.has_display || (!self.is_container && (self.has_desktop || self.is_wsl))
    }

    /// Whether the user can paste into the terminal.
    pub(crate) fn can_paste(self) -> bool {
        self.input_is_terminal && self.reads_lines
    }

    /// Why the user cannot paste.
    pub(crate) fn why_no_paste(self) -> &'static str {
        match self.input_is_terminal && !self.reads_lines {
            true => "nothing can be pasted into a terminal of this system",
            false => "there is no terminal to paste into",
        }
    }

    /// Whether the user is at another machine, whose browser does not reach this one, and cannot
    /// paste either.
    pub(crate) fn is_out_of_reach(self) -> bool {
        self.is_ssh && !self.has_browser_variable && self.input_is_terminal && !self.reads_lines
    }

    pub(crate) fn has_browser_variable(self) -> bool {
        self.has_browser_variable
    }

    /// Whether a user sees the output, or can answer it.
    pub(crate) fn is_interactive(self) -> bool {
        self.input_is_terminal || self.error_is_terminal
    }
}

/// The name that the program was started by, for messages.
pub(crate) fn program() -> String {
    let name = env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    let name: String = name
        .to_string_lossy()
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    match name.is_empty() {
        true => "the program".to_owned(),
        false => format!("`{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_open(set: &[&str], has_desktop: bool, is_container: bool) -> bool {
        let environment = Environment {
            is_container,
            ..Environment::of(|name| set.contains(&name), has_desktop)
        };
        environment.can_open()
    }

    #[test]
    fn a_browser_is_opened_where_the_user_sits() {
        for (set, has_desktop, is_container, opens) in [
            (&["DISPLAY"] as &[&str], false, false, true),
            (&["WAYLAND_DISPLAY"], false, false, true),
            (&[], true, false, true),
            (&["WSL_DISTRO_NAME"], false, false, true),
            (&[], false, false, false),
            (&[], false, true, false),
            (&["DISPLAY"], false, true, true),
            (&["DISPLAY", "SSH_CONNECTION"], false, false, false),
            (&["SSH_TTY"], true, false, false),
            (&["SSH_CLIENT", "BROWSER"], false, false, true),
            (&["BROWSER"], false, true, true),
            (&["WSL_INTEROP"], false, true, false),
        ] {
            let given = can_open(set, has_desktop, is_container);
            assert_eq!(given, opens, "{set:?} {has_desktop} {is_container}");
        }
    }

    #[test]
    fn where_lines_cannot_be_read_nothing_is_pasted_and_another_machine_is_out_of_reach() {
        let environment = |set: &[&str], input_is_terminal, reads_lines| Environment {
            reads_lines,
            input_is_terminal,
            ..Environment::of(|name| set.contains(&name), true)
        };
        for (set, input_is_terminal, reads_lines, can_paste, is_out_of_reach) in [
            (&["SSH_TTY"] as &[&str], true, true, true, false),
            (&["SSH_TTY"], true, false, false, true),
            (&["SSH_TTY", "BROWSER"], true, false, false, false),
            (&["SSH_TTY"], false, false, false, false),
            (&[], true, false, false, false),
            (&[], true, true, true, false),
        ] {
            let environment = environment(set, input_is_terminal, reads_lines);
            let given = (environment.can_paste(), environment.is_out_of_reach());
            assert_eq!(given, (can_paste, is_out_of_reach), "{environment:?}");
        }
        let why = |terminal| environment(&[], terminal, false).why_no_paste();
        assert!(why(true).contains("this system") && why(false).contains("no terminal"));
        assert_eq!(Environment::detect().reads_lines, cfg!(unix));
    }

    #[test]
    fn a_terminal_on_either_side_has_a_user() {
        let is_interactive = |input_is_terminal, error_is_terminal| {
            let environment = Environment {
                input_is_terminal,
                error_is_terminal,
                ..Environment::default()
            };
            environment.is_interactive()
        };
        assert!(is_interactive(true, false) && is_interactive(false, true));
        assert!(!is_interactive(false, false));
    }
}

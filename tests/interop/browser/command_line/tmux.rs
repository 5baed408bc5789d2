//! What a user sees and types, in a terminal of 80 columns that `tmux` emulates.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{DEVICE, MODES, Program, SESSION};
use crate::user::{count, issuer, user};

/// A terminal with one program.
struct Pane {
    socket: String,
}

impl Pane {
    fn run(program: &Program, mode: &str, set: &[(&str, &str)]) -> Self {
        let pane = Self {
            socket: program.folder.file("tmux").display().to_string(),
        };
        let config = program.folder.file("tmux.conf");
        fs::write(&config, "set -g remain-on-exit on\n").unwrap();
        let config = config.display().to_string();
        let mut arguments = [
            "-f",
            &config,
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "40",
            "env",
        ]
        .map(str::to_owned)
        .to_vec();
        // `TMUX` is set, as it is for a user.
        for name in SESSION.iter().filter(|name| **name != "TMUX") {
            arguments.extend(["-u".to_owned(), (*name).to_owned()]);
        }
        for (name, value) in program.variables(mode, set) {
            arguments.push(format!("{name}={value}"));
        }
        arguments.extend(Program::command());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        pane.tmux(&arguments);
        pane
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env("LC_ALL", "C.UTF-8").args(["-S", &self.socket]);
        let output = command.args(arguments).output().expect("tmux");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The screen, where a line that fills more than one row is one line.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J"])
    }

    /// What `find` finds on the screen, as soon as it is there.
    fn until<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(found) = find(&screen) {
                return found;
            }
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(180), "not there:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn shows(&self, text: &str) {
        self.until(|screen| screen.contains(text).then_some(()));
    }

    /// Pastes a text, as a user does with the mouse, and does not press Enter.
    fn paste(&self, text: &str) {
        self.tmux(&["set-buffer", text]);
        self.tmux(&["paste-buffer"]);
    }

    fn press_enter(&self) {
        self.tmux(&["send-keys", "Enter"]);
    }

    /// The line about the wait: one for each line that was typed, and the last.
    fn wait(&self, typed: usize) -> String {
        self.until(|screen| {
            let lines = screen.lines().filter(|line| line.contains("Waiting for"));
            let lines: Vec<&str> = lines.collect();
            assert!(lines.len() <= typed + 1, "more than one:\n{screen}");
            lines.get(typed).map(|line| (*line).to_owned())
        })
    }

    /// Waits until the line about the wait has changed.
    fn wait_goes_on(&self, typed: usize) {
        let before = self.wait(typed);
        self.until(|_| (self.wait(typed) != before).then_some(()));
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        // A server that has ended needs no end.
        let _ = command.args(["-S", &self.socket, "kill-server"]).output();
    }
}

#[test]
fn a_user_copies_the_address_and_pastes_the_callback() {
    for mode in MODES {
        let program = Program::new(&format!("tmux-{mode}"));
        let pane = Pane::run(&program, mode, &[]);
        pane.shows("To log in, open this address in a browser:");
        pane.shows("paste its address here, and press Enter.");
        // It stands alone on a line, which the terminal alone has wrapped.
        let beginning = format!("{}/auth?", issuer());
        let url = pane.until(|screen| {
            let line = screen.lines().find(|line| line.starts_with(&beginning))?;
            Some(line.trim_end().to_owned())
        });
        assert!(url.len() > 160 && !url.contains(' '), "{url}");
        pane.wait_goes_on(0);

        // What was copied from a wrapped block.
        pane.paste("http://127.0.0.1/callback?code=c0 de&state=s");
        pane.press_enter();
        pane.shows("That is not accepted:");
        let callback = user(&["elsewhere", &url]);
        // What was typed stays, while the line before it is written again.
        let (beginning, rest) = callback.split_at(20);
        pane.paste(beginning);
        pane.wait_goes_on(1);
        pane.wait_goes_on(1);
        let typed = pane.wait(1);
        assert!(typed.starts_with("Waiting for the login ("), "{typed}");
        assert!(typed.trim_end().ends_with(beginning), "{typed}");
        pane.paste(rest);
        pane.press_enter();
        pane.shows("Logged in.");
        pane.shows("result=200");
        assert_eq!(count(&program.client, "authorization_code"), "1");
    }
}

#[test]
fn a_user_reads_the_code_and_types_it_on_another_device() {
    for mode in MODES {
        let program = Program::new(&format!("tmux-device-{mode}"));
        let endpoint = format!("{}/device/auth", issuer());
        let session = [("SSH_CONNECTION", "a 1 b 2"), ("DEVICE", &*endpoint)];
        let pane = Pane::run(&program, mode, &session);
        pane.shows("and enter this code:");
        let screen = pane.screen();
        let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
        let page = format!("{}/device", issuer());
        assert!(lines.contains(&&*page), "{screen}");
        let at = lines
            .iter()
            .position(|line| *line == "and enter this code:");
        let code = lines[at.unwrap() + 2];
        // In groups that can be read aloud, alone on its line, and bold.
        let groups: Vec<&str> = code.split('-').collect();
        assert!(groups.len() > 1, "{code}");
        let is_short = |group: &&str| (3..=4).contains(&group.len());
        assert!(groups.iter().all(is_short), "{code}");
        let colours = pane.tmux(&["capture-pane", "-p", "-e"]);
        assert!(colours.contains(&format!("\u{1b}[1m{code}")), "{colours:?}");
        pane.wait_goes_on(0);
        user(&["device", &page, code]);
        pane.shows("Logged in.");
        pane.shows("result=200");
        assert_eq!(count(&program.client, DEVICE), "1");
    }
}

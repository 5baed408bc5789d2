//! A terminal that a test holds the other end of.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub struct Terminal {
    keyboard: File,
    slave: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    pub fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let keyboard = File::from(master);
        let mut output = keyboard.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It ends with an error once nobody has the terminal open.
            while let Ok(count) = output.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]);
                shown.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keyboard,
            slave,
            screen,
        }
    }

    /// Runs a command on the terminal.
    pub fn attach(&self, command: &mut Command) {
        let slave = || Stdio::from(self.slave.try_clone().unwrap());
        command.stdin(slave()).stdout(slave()).stderr(slave());
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
    }

    /// Everything that was written so far, typed lines among it.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Text that `find` finds on the screen, as soon as it is there.
    pub fn until<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if let Some(found) = find(&screen) {
                return found;
            }
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(60),
                "not on the screen:\n{screen}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this text has been written so many times.
    pub fn shows(&self, text: &str, times: usize) {
        self.until(|screen| (screen.matches(text).count() >= times).then_some(()));
    }

    /// The end of the line that begins so.
    pub fn line(&self, beginning: &str) -> String {
        self.until(|screen| {
            let (_, rest) = screen.split_once(beginning)?;
            Some(rest.split_once('\n')?.0.trim_end().to_owned())
        })
    }
}

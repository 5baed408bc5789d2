//! Lines of standard input, read only when one is available, so that the program loses none.

use std::{
    io::Stdin,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::getpgrp,
    termios::tcgetpgrp,
};
use zeroize::Zeroizing;

/// Longest line, in bytes.
const LIMIT: usize = 64 * 1024;

/// Lines that the user types.
pub(crate) struct TypedLines<F = Stdin> {
    source: F,
    line: Zeroizing<Vec<u8>>,
    has_ended: bool,
}

impl TypedLines {
    /// Whether this system tells whether a line can be read at once.
    pub(crate) const IS_SUPPORTED: bool = true;

    /// Those of standard input.
    pub(crate) fn of_stdin() -> Option<Self> {
        Some(Self::of(std::io::stdin()))
    }
}

impl<F: AsFd> TypedLines<F> {
    fn of(source: F) -> Self {
        Self {
            source,
            line: Zeroizing::default(),
            has_ended: false,
        }
    }

    /// The next line, if all of it is there. Nothing behind it is read.
    pub(crate) fn line(&mut self) -> Option<Zeroizing<String>> {
        while !self.has_ended && is_readable(self.source.as_fd()) {
            let mut byte = [0];
            match rustix::io::read(&self.source, &mut byte) {
                Ok(1) if byte[0] == b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    return Some(Zeroizing::new(String::from_utf8_lossy(&line).into_owned()));
                }
                Ok(1) if self.line.len() < LIMIT => self.line.push(byte[0]),
                Ok(1) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => self.has_ended = true,
            }
        }
        None
    }
}

/// Whether a byte or the end can be read at once.
fn is_readable(source: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(&source, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let answers = poll(&mut polled, Some(&at_once)).is_ok_and(|count| count > 0);
    // Not where it cannot be polled, and a read would wait.
    let is_ready = answers
        && polled[0]
            .revents()
            .intersects(PollFlags::IN | PollFlags::HUP);
    // A process in the background would be stopped if it read from its terminal.
    is_ready && tcgetpgrp(source).map_or(true, |group| group == getpgrp())
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::net::UnixStream};

    use super::*;

    #[test]
    fn a_line_is_taken_when_it_is_whole_and_nothing_behind_it() {
        let (mut writer, reader) = UnixStream::pair().expect("a pair");
        let mut rest = reader.try_clone().expect("a clone");
        let mut lines = TypedLines::of(reader);
        assert!(lines.line().is_none());
        writer.write_all(b"http://127").expect("a part");
        assert!(lines.line().is_none());
        writer
            .write_all(b".0.0.1/\nfor the program\n")
            .expect("the rest");
        assert_eq!(
            lines.line().as_deref().map(String::as_str),
            Some("http://127.0.0.1/")
        );
        drop(lines);
        drop(writer);
        let left = std::io::read_to_string(&mut rest).expect("text");
        assert_eq!(left, "for the program\n");
    }

    #[test]
    fn an_input_that_has_ended_or_never_ends_a_line_gives_none() {
        let (mut writer, reader) = UnixStream::pair().expect("a pair");
        let mut lines = TypedLines::of(reader);
        std::thread::spawn(move || writer.write_all(&[b'x'; 3 * LIMIT]));
        while !lines.has_ended {
            assert!(lines.line().is_none());
            assert!(lines.line.len() <= LIMIT);
        }
        assert!(lines.line().is_none());
    }
}

//! Assertions that a program writes.

use std::{
    io::Read as _,
    path::PathBuf,
    process::{self, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::read::{MAX_BYTES, assertion, read_at_once};
use crate::{
    error::{BoxError, Result},
    oauth2::{
        request::{AssertionSource, EndpointRequest, SourceRead},
        response::EndpointResponse,
    },
    secret::Secret,
};

/// Time limit of a program.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Interval at which it is asked whether the program has ended.
const TICK: Duration = Duration::from_millis(5);

/// Program that writes an assertion.
pub(super) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
    timeout: Duration,
}

read_at_once!(Command);

impl Command {
    pub(super) fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments,
            timeout: TIMEOUT,
        }
    }

    /// The name of the program, without its arguments, which may be secret.
    pub(super) fn name(&self) -> String {
        format!("the program {}", self.program.display())
    }

    fn content(&self) -> Result<Secret, BoxError> {
        let name = self.name();
        let mut command = process::Command::new(&self.program);
        command.args(&self.arguments);
        let (status, content) = output(command, &name, self.timeout, MAX_BYTES)?;
        if !status.success() {
            return Err(format!("{name} has failed ({status})").into());
        }
        assertion(content, &format!("the output of {name}"))
    }
}

/// The status and the output of a program, of which no more than `max_bytes` and one are read. It is
/// waited for no longer than `timeout`, and so is another one that it has left with its output.
pub(crate) fn output(
    mut command: process::Command,
    name: &str,
    timeout: Duration,
    max_bytes: u64,
) -> Result<(ExitStatus, Vec<u8>), BoxError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{name} could not be run ({error})"))?;
    // On a thread of its own: a program that has ended may have left another one, which keeps the
    // output open.
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut content = Vec::new();
        let read = output.map(|output| output.take(max_bytes + 1).read_to_end(&mut content));
        read.transpose().map(|_| content)
    });
    let began = Instant::now();
    let is_over = || began.elapsed() >= timeout;
    let too_late = || {
        let seconds = timeout.as_secs();
        BoxError::from(format!("{name} has not ended within {seconds} seconds"))
    };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if !is_over() => thread::sleep(TICK),
            ended => {
                // It may have ended by now, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match ended {
                    Err(error) => format!("{name} could not be waited for ({error})").into(),
                    Ok(_) => too_late(),
                });
            }
        }
    };
    while !reader.is_finished() {
        if is_over() {
            return Err(too_late());
        }
        thread::sleep(TICK);
    }
    match reader.join() {
        Ok(Ok(content)) => Ok((status, content)),
        _ => Err(format!("the output of {name} could not be read").into()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(program: &str, arguments: &[&str], timeout: Duration) -> Result<Secret, BoxError> {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        let command = Command {
            timeout,
            ..Command::new(program.into(), arguments)
        };
        command.content()
    }

    #[test]
    fn the_output_is_the_assertion_and_no_shell_reads_the_arguments() {
        for argument in ["a.b.c", "$HOME;echo", "*`id`", "'\"\\"] {
            let read = run("printf", &["%s\n", argument], TIMEOUT).expect("an output");
            assert_eq!(read.expose_secret(), argument);
        }
    }

    #[test]
    fn a_program_is_bounded_in_time_and_output() {
        let began = Instant::now();
        let timeout = Duration::from_millis(300);
        let error = run("sleep", &["60"], timeout)
            .expect_err("too long")
            .to_string();
        assert!(error.contains("has not ended"), "{error}");
        // One that leaves another behind, which keeps the output open.
        let left = run("sh", &["-c", "echo a.b.c; sleep 3 &"], timeout);
        assert!(left.is_err());
        // The pipe is closed after what is read, which ends the program.
        let endless = run("yes", &["a.b.c"], timeout);
        assert!(endless.is_err());
        let long = run(
            "sh",
            &["-c", "head -c 70000 /dev/zero | tr '\\0' x"],
            TIMEOUT,
        );
        assert!(long.is_err());
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_failure_names_the_program_and_nothing_that_it_wrote() {
        for (program, arguments, word) in [
            ("/nonexistent/program", &["hunter2"][..], "could not be run"),
            (
                "sh",
                &["-c", "echo hunter2; echo hunter2 >&2; exit 3"],
                "has failed",
            ),
            ("true", &["hunter2"], "is empty"),
        ] {
            let error = run(program, arguments, TIMEOUT)
                .expect_err(word)
                .to_string();
            assert!(error.contains(word) && error.contains(program), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

//! A process of a test's own, which reads commands from its standard input and writes a line about
//! each.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The process, which ends with this.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Runs an ignored test of this program as a process, with these variables in its environment.
    pub fn spawn(test: &str, variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--ignored", "--exact", test, "--nocapture"]);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Begins to do something.
    pub fn begin(&mut self, command: &str) {
        let mut input = self.child.stdin.as_ref().unwrap();
        writeln!(input, "{command}").unwrap();
    }

    /// Its result.
    pub fn result(&mut self) -> String {
        self.line("result=").expect("a result")
    }

    pub fn perform(&mut self, command: &str) -> String {
        self.begin(command);
        self.result()
    }

    /// The next line that begins so, without that; none if the process ends before.
    pub fn line(&mut self, beginning: &str) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix(beginning) {
                return Some(rest.trim_end().to_owned());
            }
            line.clear();
        }
        None
    }

    pub fn kill(mut self) {
        self.end();
    }

    /// Sends a signal such as `STOP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success(), "{kill}");
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

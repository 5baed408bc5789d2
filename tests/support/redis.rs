//! A real Redis server of a test's own.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{folder::Folder, free_port::free_port};

pub struct RedisServer {
    port: u16,
    folder: Folder,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one that keeps what it has acknowledged over a restart.
    pub fn start(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// The same with further arguments.
    pub fn with(name: &str, arguments: &[&str]) -> Self {
        let mut server = Self {
            port: free_port(),
            folder: Folder::new(&format!("redis-{name}")),
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            process: None,
        };
        server.start_again();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the process. Connections break off, and new ones are refused.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process");
            process.wait().expect("a process");
        }
    }

    pub fn start_again(&mut self) {
        let folder = self.folder.file("");
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        command.arg("--dir").arg(folder).args(&self.arguments);
        command.stdout(Stdio::null()).stdin(Stdio::null());
        let process = command.spawn();
        self.process = Some(process.expect("redis-server, which tests/interop/run installs"));
        for _ in 0..6000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
                && !self.cli(&["PING"]).is_empty()
            {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server did not start");
    }

    /// Stops the process without ending it, or continues it.
    pub fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("a process").id();
        let kill = format!("kill -{name} {id}");
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success(), "{kill}");
    }

    /// The output of a command, without the line break behind it.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(arguments);
        let output = command.output().expect("redis-cli");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim_end()
            .to_owned()
    }

    /// Runs commands, one a line.
    pub fn pipe(&self, commands: &str) {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("redis-cli");
        let mut input = child.stdin.take().expect("standard input");
        input.write_all(commands.as_bytes()).expect("a pipe");
        drop(input);
        assert!(child.wait().expect("redis-cli").success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

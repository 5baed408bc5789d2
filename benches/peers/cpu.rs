//! CPU time of this process, and a server that is a process of its own, so that it does not count.

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::server::Server;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Of all threads of the process, in `/proc/self/task/*/schedstat`, whose first number is in
/// nanoseconds.
pub fn cpu_time() -> BenchResult<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
        let time = statistics.split(' ').next().ok_or("no time")?;
        nanos += time.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the program does with the argument `serve`: it tells its token endpoint, and ends with its
/// standard input.
pub fn serve() -> BenchResult {
    let server = Server::start(Duration::ZERO)?;
    println!("{}", server.token_endpoint());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A process of this program with the argument `serve`. It ends when dropped.
pub struct Serving {
    process: Child,
    pub token_endpoint: String,
}

impl Serving {
    pub fn start() -> BenchResult<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut url = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut url)?;
        Ok(Self {
            process,
            token_endpoint: url.trim().to_owned(),
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Its standard input has ended, and with that the process.
        let _ = self.process.wait();
    }
}

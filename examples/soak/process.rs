//! Tasks, threads, file descriptors and memory of the process, as Linux counts them.

use std::{fmt, fs};

use tokio::runtime::Handle;

/// The numbers; `None` where the system does not tell.
#[derive(Clone, Copy, Default)]
pub struct Held {
    pub tasks: usize,
    pub threads: Option<usize>,
    pub descriptors: Option<usize>,
    pub memory_kib: Option<usize>,
}

impl Held {
    pub fn now(runtime: &Handle) -> Self {
        Self {
            tasks: runtime.metrics().num_alive_tasks(),
            threads: status("Threads:"),
            // The folder itself is open while it is read.
            descriptors: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| entries.count().saturating_sub(1)),
            memory_kib: status("VmRSS:"),
        }
    }

    /// Whether the process holds no more than `before`. Memory does not count, as allocators keep
    /// it.
    pub fn is_back_to(&self, before: &Self) -> bool {
        self.tasks <= before.tasks
            && self.threads <= before.threads
            && self.descriptors <= before.descriptors
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |number: Option<usize>| number.map_or("?".to_owned(), |it| it.to_string());
        write!(
            f,
            "{} tasks, {} threads, {} file descriptors, {} KiB",
            self.tasks,
            shown(self.threads),
            shown(self.descriptors),
            shown(self.memory_kib)
        )
    }
}

fn status(name: &str) -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

//! The report at the end.

use std::{fmt, sync::atomic::Ordering};

use crate::{counters::Soak, process::Held};

/// Maximum number of tokens that are named.
const TOKENS: usize = 10;

pub struct Report<'a> {
    pub soak: &'a Soak,
    /// The least number of token requests.
    pub least: f64,
    pub before: Held,
    pub after: Held,
}

impl Report<'_> {
    /// The checks that failed.
    pub fn failures(&self) -> Vec<&'static str> {
        let counters = &self.soak.counters;
        let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::SeqCst);
        let failures = [
            ("tokens were lost", self.soak.ledger.lost().len()),
            (
                "refresh tokens were reused without cause",
                self.soak.ledger.reused_without_cause().len(),
            ),
            ("callers hung", count(&counters.hung)),
            (
                "expired tokens were given as success",
                count(&counters.expired),
            ),
            ("expired tokens were sent", count(&counters.expired_at_api)),
            ("clients could not be closed", count(&counters.unclosed)),
            (
                "tasks, threads or file descriptors leaked",
                usize::from(!self.after.is_back_to(&self.before)),
            ),
        ];
        let failures = failures.into_iter().filter(|(_, count)| *count > 0);
        failures.map(|(what, _)| what).collect()
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counters, ledger) = (&self.soak.counters, &self.soak.ledger);
        let counts = ledger.counts();
        let (lost, reused) = (ledger.lost(), ledger.reused_without_cause());
        let ratio = counts.token_requests as f64 / self.least;
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:<34}{value}");
        line("calls", &counters.calls.load(Ordering::SeqCst))?;
        line("  succeeded", &counters.succeeded.load(Ordering::SeqCst))?;
        line("  aborted", &counters.aborted.load(Ordering::SeqCst))?;
        for (kind, count) in counters.failed() {
            line(&format!("  failed: {kind}"), &count)?;
        }
        line(
            "clients closed and replaced",
            &counters.restarts.load(Ordering::SeqCst),
        )?;
        line(
            "leaders without a runtime",
            &counters.undriven.load(Ordering::SeqCst),
        )?;
        line(
            "token requests",
            &format_args!(
                "{}, {ratio:.2} × the least possible {:.0}",
                counts.token_requests, self.least
            ),
        )?;
        line("tokens issued", &counts.issued)?;
        line("  by a login", &counts.logins)?;
        line("tokens lost", &lost.len())?;
        line(
            "refresh tokens reused with cause",
            &counts.reused_with_cause,
        )?;
        line("  without cause", &reused.len())?;
        line("callers hung", &counters.hung.load(Ordering::SeqCst))?;
        line(
            "panics that reached a caller",
            &counters.panics.load(Ordering::SeqCst),
        )?;
        line(
            "expired tokens given as success",
            &counters.expired.load(Ordering::SeqCst),
        )?;
        line(
            "  sent to the API",
            &counters.expired_at_api.load(Ordering::SeqCst),
        )?;
        line(
            "clients that could not be closed",
            &counters.unclosed.load(Ordering::SeqCst),
        )?;
        line("before", &self.before)?;
        line("after", &self.after)?;
        for (what, tokens) in [("lost", lost), ("reused without cause", reused)] {
            for token in tokens.iter().take(TOKENS) {
                writeln!(f, "  {token} was {what}")?;
            }
        }
        for note in counters.notes() {
            writeln!(f, "  {note}")?;
        }
        match self.failures() {
            failures if failures.is_empty() => writeln!(f, "all is well"),
            failures => writeln!(f, "failed: {}", failures.join("; ")),
        }
    }
}

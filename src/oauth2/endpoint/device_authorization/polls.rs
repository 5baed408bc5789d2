//! The device codes that are polled: of the callers with one code, one polls at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Clock,
    error::Result,
    oauth2::{
        endpoint::device_authorization::{polling::DevicePolling, response::DeviceAuthorization},
        token::Token,
    },
    signal::Signal,
};

/// Digest of a device code.
type DeviceKey = [u8; 32];

/// The device codes that callers wait for, or whose token no caller has taken.
#[derive(Clone, Default)]
pub(crate) struct DevicePolls(Arc<Mutex<HashMap<DeviceKey, Poll>>>);

/// A device code.
struct Poll {
    polling: DevicePolling,
    /// Number of callers.
    waiters: usize,
    /// What comes, or came, of the caller that polls, or was the last one to do so.
    outcome: Option<Arc<Signal<PollOutcome>>>,
    /// Whether a caller has completed its login, or failed to, by the outcome.
    is_taken: bool,
}

/// Outcome of the polling for those who wait for it; none if its caller was dropped.
type PollOutcome = Option<Result<Token>>;

/// A caller with a device code.
pub(crate) struct PollWaiter {
    polls: DevicePolls,
    key: DeviceKey,
}

/// Part of a caller.
pub(crate) enum PollRole {
    /// To poll, for all others too.
    Lead(PollLeader),
    /// To wait for the outcome.
    Follow(Arc<Signal<PollOutcome>>),
}

/// The right to poll. Dropped without an outcome, it leaves the polling to another caller.
pub(crate) struct PollLeader {
    polls: DevicePolls,
    key: DeviceKey,
    signal: Arc<Signal<PollOutcome>>,
}

impl DevicePolls {
    /// Joins those who wait for the code of `device`.
    pub(crate) fn join(&self, device: &DeviceAuthorization, clock: &Clock) -> PollWaiter {
        let key = device.device_code().digest();
        let mut polls = self.lock();
        // A token that nobody came for is of no more use than its code.
        polls.retain(|_, poll| poll.waiters > 0 || poll.is_under_way() || !poll.has_expired(clock));
        let poll = polls.entry(key).or_insert_with(|| Poll {
            polling: DevicePolling::new(device, clock),
            waiters: 0,
            outcome: None,
            is_taken: false,
        });
        poll.waiters += 1;
        drop(polls);
        let polls = self.clone();
        PollWaiter { polls, key }
    }

    /// Does `work` with the state of a code, and forgets it once it is of no use to anyone. None if
    /// it was forgotten, which it is not while there is a waiter or a leader.
    fn with<T>(&self, key: &DeviceKey, work: impl FnOnce(&mut Poll) -> T) -> Option<T> {
        let mut polls = self.lock();
        let poll = polls.get_mut(key)?;
        let done = work(poll);
        if !poll.is_needed() {
            polls.remove(key);
        }
        Some(done)
    }

    fn wait(&self, key: &DeviceKey, clock: &Clock) -> Result<Duration> {
        let wait = self.with(key, |poll| poll.polling.wait(clock));
        wait.unwrap_or(Ok(Duration::ZERO))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceKey, Poll>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poll {
    fn is_needed(&self) -> bool {
        self.waiters > 0 || self.is_under_way() || (self.has_token() && !self.is_taken)
    }

    /// Whether there is a leader, perhaps one without its caller.
    fn is_under_way(&self) -> bool {
        self.outcome.as_ref().is_some_and(|signal| !signal.is_set())
    }

    fn has_token(&self) -> bool {
        let outcome = self.outcome.as_ref().and_then(|signal| signal.get());
        matches!(outcome, Some(Some(Ok(_))))
    }

    fn has_expired(&self, clock: &Clock) -> bool {
        self.polling.wait(clock).is_err()
    }
}

impl PollWaiter {
    /// Part of the caller: to poll, if no other does.
    pub(crate) fn role(&self) -> PollRole {
        let mut polls = self.polls.lock();
        let outcome = polls.get_mut(&self.key).map(|poll| &mut poll.outcome);
        let is_left = |signal: &Arc<Signal<PollOutcome>>| matches!(signal.get(), Some(None));
        match outcome {
            Some(Some(signal)) if !is_left(signal) => PollRole::Follow(signal.clone()),
            outcome => {
                let signal = Arc::new(Signal::default());
                if let Some(outcome) = outcome {
                    *outcome = Some(signal.clone());
                }
                PollRole::Lead(PollLeader {
                    polls: self.polls.clone(),
                    key: self.key,
                    signal,
                })
            }
        }
    }

    /// The time until the next poll is due.
    pub(crate) fn wait(&self, clock: &Clock) -> Result<Duration> {
        self.polls.wait(&self.key, clock)
    }

    /// Notes that this caller has used the outcome, and returns whether it is the first.
    pub(crate) fn take(&self) -> bool {
        let was_taken = |poll: &mut Poll| std::mem::replace(&mut poll.is_taken, true);
        self.polls.with(&self.key, was_taken) == Some(false)
    }
}

impl Drop for PollWaiter {
    fn drop(&mut self) {
        self.polls.with(&self.key, |poll| poll.waiters -= 1);
    }
}

impl PollLeader {
    /// The time until the next poll is due.
    pub(crate) fn wait(&self, clock: &Clock) -> Result<Duration> {
        self.polls.wait(&self.key, clock)
    }

    /// Notes the response to a poll. Returns the outcome for all that wait, if it is one; otherwise
    /// this.
    pub(crate) fn after(
        self,
        polled: Result<Token>,
        interval: Option<Duration>,
        now: Duration,
    ) -> Result<Result<Token>, Self> {
        let after = |poll: &mut Poll| poll.polling.after(polled, interval, now);
        match self
            .polls
            .with(&self.key, after)
            .and_then(Result::transpose)
        {
            Some(outcome) => Ok(self.finish(outcome)),
            None => Err(self),
        }
    }

    /// Gives the outcome to all that wait, and returns it.
    pub(crate) fn finish(self, outcome: Result<Token>) -> Result<Token> {
        self.signal.set(Some(outcome.clone()));
        outcome
    }
}

impl Drop for PollLeader {
    fn drop(&mut self) {
        // It keeps the first value.
        self.signal.set(None);
        // The last caller may have gone before.
        self.polls.with(&self.key, |_| ());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Barrier,
            atomic::{AtomicU64, Ordering},
        },
        time::UNIX_EPOCH,
    };

    use super::*;

    fn device(code: &str) -> DeviceAuthorization {
        let kept = serde_json::json!({
            "device_code": code, "user_code": "U", "verification_uri": "https://id.example/",
            "expires_at": 1600,
        });
        serde_json::from_value(kept).expect("a device authorization")
    }

    fn clock() -> (Arc<AtomicU64>, Clock) {
        let time = Arc::new(AtomicU64::new(1000));
        let hand = time.clone();
        let now = move || UNIX_EPOCH + Duration::from_secs(hand.load(Ordering::SeqCst));
        (time, Clock::from_fn(now))
    }

    fn leader(waiter: &PollWaiter) -> PollLeader {
        match waiter.role() {
            PollRole::Lead(leader) => leader,
            PollRole::Follow(_) => panic!("another polls"),
        }
    }

    fn outcome(waiter: &PollWaiter) -> Option<PollOutcome> {
        match waiter.role() {
            PollRole::Lead(_) => panic!("nobody polls"),
            PollRole::Follow(signal) => signal.get(),
        }
    }

    fn count(polls: &DevicePolls) -> usize {
        polls.lock().len()
    }

    #[test]
    fn callers_that_leave_at_the_same_time_leave_nothing() {
        let (polls, (_, clock)) = (DevicePolls::default(), clock());
        for _ in 0..500 {
            let waiters = [(); 2].map(|()| polls.join(&device("d"), &clock));
            leader(&waiters[0])
                .finish(Ok(Token::new("t")))
                .expect("a token");
            assert!(waiters[0].take() && !waiters[1].take());
            let barrier = Barrier::new(2);
            std::thread::scope(|scope| {
                for waiter in waiters {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        drop(waiter);
                    });
                }
            });
            assert_eq!(count(&polls), 0);
        }
    }

    #[test]
    fn the_outcome_of_a_poll_whose_callers_have_gone_is_there_for_the_next() {
        let (polls, (time, clock)) = (DevicePolls::default(), clock());
        let polled = |outcome: Result<Token>| {
            let waiter = polls.join(&device("d"), &clock);
            let leader = leader(&waiter);
            drop(waiter);
            assert_eq!(count(&polls), 1, "it is under way");
            let _ = leader.after(outcome, None, Duration::ZERO);
        };
        polled(Ok(Token::new("t")));
        // Neither does one that is dropped with it take it.
        for _ in 0..2 {
            let waiter = polls.join(&device("d"), &clock);
            assert!(matches!(outcome(&waiter), Some(Some(Ok(_)))));
        }
        let waiter = polls.join(&device("d"), &clock);
        assert!(waiter.take());
        drop(waiter);
        assert_eq!(count(&polls), 0);
        // An error, or none yet, is of no use.
        polled(Err(crate::error::Error::usage("no")));
        assert_eq!(count(&polls), 0);
        polled(Err(crate::error::Error::interrupted("no answer")));
        assert_eq!(count(&polls), 0);
        // Nor is a token whose code has expired.
        polled(Ok(Token::new("t")));
        drop(polls.join(&device("other"), &clock));
        assert_eq!(count(&polls), 1);
        time.store(1600, Ordering::SeqCst);
        drop(polls.join(&device("other"), &clock));
        assert_eq!(count(&polls), 0);
    }

    #[test]
    fn a_leader_that_is_dropped_leaves_the_polling_to_another() {
        let (polls, (_, clock)) = (DevicePolls::default(), clock());
        let waiters = [(); 2].map(|()| polls.join(&device("d"), &clock));
        let first = leader(&waiters[0]);
        assert!(outcome(&waiters[1]).is_none());
        drop(first);
        let second = leader(&waiters[1]);
        assert_eq!(second.wait(&clock).expect("time"), Duration::from_secs(5));
        drop((second, waiters));
        assert_eq!(count(&polls), 0);
    }
}

//! Every token that the provider issued, and what became of it.
//!
//! Tokens are told apart by their text, `a-<user>-<number>` and `r-<user>-<number>`. What the
//! client has received is noted by its compliance hooks, which see an answer when it was read in
//! full: so it is known which answers did not arrive.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use oauth_twin::{Token, oauth2::Hook};

#[derive(Default)]
pub struct Ledger(Mutex<State>);

#[derive(Default)]
struct State {
    issues: Vec<Issue>,
    /// The families that are revoked, by the number of their first token.
    revoked: HashSet<usize>,
    /// Number of token requests of each user.
    requests: HashMap<usize, usize>,
    counts: Counts,
    /// The refresh tokens that were reused without cause.
    reused: Vec<String>,
}

struct Issue {
    user: usize,
    /// The number of the first token of its family.
    family: usize,
    lifetime: Duration,
    received_at: Option<Instant>,
    /// Whether the refresh token was used.
    spent: bool,
    /// Whether `update_token` or the token store has taken it, or the user who logged in.
    kept: bool,
    successors: Vec<usize>,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub token_requests: usize,
    pub issued: usize,
    pub logins: usize,
    pub reused_with_cause: usize,
}

/// The successor of a token, as it is issued.
pub struct Renewed {
    pub user: usize,
    pub number: usize,
    pub lifetime: Duration,
}

/// A token as its text names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbered {
    pub family: usize,
    pub number: usize,
}

impl Ledger {
    /// The token of a user who logs in: a new family. It is in the hands of the program.
    pub fn login(&self, user: usize, lifetime: Duration) -> Token {
        let mut state = self.state();
        state.counts.logins += 1;
        let number = state.issue(user, None, lifetime);
        let issue = &mut state.issues[number];
        (issue.received_at, issue.kept) = (Some(Instant::now()), true);
        let now = SystemTime::now();
        Token::new(format!("a-{user}-{number}"))
            .with_refresh_token(format!("r-{user}-{number}"))
            .with_issued_at(now)
            .with_expires_at(now + lifetime)
    }

    /// A token request came; the user whose it is.
    pub fn note_request(&self, refresh_token: &str) -> usize {
        let mut state = self.state();
        state.counts.token_requests += 1;
        let issue = number_of(refresh_token).and_then(|number| state.issues.get(number));
        let user = issue.map_or(usize::MAX, |it| it.user);
        *state.requests.entry(user).or_default() += 1;
        user
    }

    /// Spends a refresh token. One that was spent revokes its family.
    pub fn redeem(&self, refresh_token: &str) -> Option<Renewed> {
        let mut state = self.state();
        let number = number_of(refresh_token)?;
        let issue = state.issues.get_mut(number)?;
        let (user, family, lifetime) = (issue.user, issue.family, issue.lifetime);
        if std::mem::replace(&mut issue.spent, true) {
            state.revoked.insert(family);
        }
        if state.revoked.contains(&family) {
            return None;
        }
        let successor = state.issue(user, Some(family), lifetime);
        state.issues[number].successors.push(successor);
        Some(Renewed {
            user,
            number: successor,
            lifetime,
        })
    }

    /// Number of token requests of a user.
    pub fn requests_of(&self, user: usize) -> usize {
        self.state()
            .requests
            .get(&user)
            .copied()
            .unwrap_or_default()
    }

    /// Whether an access token is valid at the API, and how long it has been expired.
    pub fn check(&self, access_token: &str) -> Result<(), Option<Duration>> {
        let state = self.state();
        let issue = number_of(access_token).and_then(|number| state.issues.get(number));
        let Some(issue) = issue.filter(|it| !state.revoked.contains(&it.family)) else {
            return Err(None);
        };
        match issue.expired_for(Instant::now()) {
            Duration::ZERO => Ok(()),
            expired => Err(Some(expired)),
        }
    }

    /// Time since the expiry of `token`.
    pub fn expired_for(&self, token: &Token, then: Instant) -> Duration {
        let state = self.state();
        let issue = number_of(token.access_token().expose_secret());
        let issue = issue.and_then(|number| state.issues.get(number));
        issue.map_or(Duration::MAX, |it| it.expired_for(then))
    }

    /// Whether nothing but a login helps.
    pub fn is_revoked(&self, token: &Token) -> bool {
        let family = self.numbered(token).family;
        self.state().revoked.contains(&family)
    }

    pub fn numbered(&self, token: &Token) -> Numbered {
        let number = number_of(token.access_token().expose_secret()).expect("a number");
        let family = self.state().issues[number].family;
        Numbered { family, number }
    }

    pub fn user_of(&self, token: &Token) -> usize {
        let number = self.numbered(token).number;
        self.state().issues[number].user
    }

    /// The hook or the token store has taken it.
    pub fn keep(&self, token: &Token) {
        let number = self.numbered(token).number;
        self.state().issues[number].kept = true;
    }

    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The refresh tokens that were sent again although their successor had been received.
    pub fn reused_without_cause(&self) -> Vec<String> {
        self.state().reused.clone()
    }

    /// The tokens that were received, were not used to obtain another, and were not kept.
    pub fn lost(&self) -> Vec<String> {
        let state = self.state();
        let issues = state.issues.iter().enumerate();
        let lost = issues.filter(|(_, it)| it.received_at.is_some() && !it.spent && !it.kept);
        lost.map(|(number, it)| format!("r-{}-{number}", it.user))
            .collect()
    }

    /// The hooks that note what the client sends and receives.
    pub fn hooks(self: &Arc<Self>) -> [Hook; 2] {
        let (sending, receiving) = (self.clone(), self.clone());
        [
            Hook::refresh_token_request(move |request| {
                if let Some(token) = request.form().value("refresh_token") {
                    sending.note_sent(token.expose_secret());
                }
                Ok(())
            }),
            Hook::refresh_token_response(move |response| {
                let members = response.json().unwrap_or_default();
                if let Some(token) = members.get("refresh_token").and_then(|it| it.as_str()) {
                    receiving.note_received(token);
                }
                Ok(())
            }),
        ]
    }

    fn note_sent(&self, refresh_token: &str) {
        let mut state = self.state();
        let Some(issue) = number_of(refresh_token).and_then(|it| state.issues.get(it)) else {
            return;
        };
        let is_received = |number: &usize| state.issues[*number].received_at.is_some();
        match (issue.spent, issue.successors.iter().any(is_received)) {
            (true, true) => state.reused.push(refresh_token.to_owned()),
            (true, false) => state.counts.reused_with_cause += 1,
            (false, _) => {}
        }
    }

    fn note_received(&self, refresh_token: &str) {
        let mut state = self.state();
        if let Some(number) = number_of(refresh_token) {
            state.issues[number].received_at = Some(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn issue(&mut self, user: usize, family: Option<usize>, lifetime: Duration) -> usize {
        self.counts.issued += 1;
        let number = self.issues.len();
        self.issues.push(Issue {
            user,
            family: family.unwrap_or(number),
            lifetime,
            received_at: None,
            spent: false,
            kept: false,
            successors: Vec::new(),
        });
        number
    }
}

impl Issue {
    /// Counted from its receipt, as the client does.
    fn expired_for(&self, then: Instant) -> Duration {
        let until = self.received_at.unwrap_or(then) + self.lifetime;
        then.saturating_duration_since(until)
    }
}

fn number_of(text: &str) -> Option<usize> {
    text.rsplit_once('-')?.1.parse().ok()
}

//! Helpers of the tests of the state machine: a waiter that records its outcome, tokens with chosen
//! times, and failures.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

use super::now::Now;
use super::{
    action::{Action, Caller},
    outbox::{Due, InProgress},
    reconcile::StoreState,
    single_flight::{Claim, Flight, Need, Outcome},
    slot::{Rules, Slot},
    slots::{Learned, Slots},
    update::TokenUpdate,
};
use crate::{
    error::{Error, ErrorResponse},
    oauth2::token::{Token, refresh::RefreshPolicy},
    token_store::StoredToken,
};

/// The access token that a flight brought.
pub(super) fn brought(flight: &Flight) -> Option<String> {
    match flight.outcome.get() {
        Some(Ok(Outcome::Token(published))) => Some(access_token(&published.token)),
        _ => None,
    }
}

pub(super) type TestSlot = Arc<Slot>;

/// The wall clock when the monotonic one stands at zero.
pub(super) const START: u64 = 1_000_000;
/// Lifetime of a token, in seconds.
pub(super) const LIFE: u64 = 1000;
/// Limit of a flight, in seconds: two requests of 10 seconds, and one second.
pub(super) const FLIGHT_LIMIT: u64 = 21;

/// The time when both clocks have advanced by `seconds`.
pub(super) fn at(seconds: u64) -> Now {
    let monotonic = Duration::from_secs(seconds);
    Now {
        unix: Duration::from_secs(START) + monotonic,
        monotonic,
    }
}

pub(super) fn rules() -> Rules {
    let seconds = Duration::from_secs;
    Rules::new(seconds(60), RefreshPolicy::default(), seconds(10), false)
}

pub(super) fn slots() -> Slots {
    Slots::new(rules())
}

/// The store of this number.
pub(super) fn store(number: usize) -> Box<StoreState> {
    Box::new(StoreState::new(number))
}

/// The number of the store of a slot.
pub(super) fn store_of(slot: &Slot) -> Option<usize> {
    slot.store()
}

/// A token that was issued at `issued` and expires at `expires`.
pub(super) fn token_until(access: &str, refresh: Option<&str>, issued: u64, expires: u64) -> Token {
    let time = |seconds| UNIX_EPOCH + Duration::from_secs(START + seconds);
    let token = Token::new(access)
        .with_issued_at(time(issued))
        .with_expires_at(time(expires));
    match refresh {
        Some(refresh) => token.with_refresh_token(refresh),
        None => token,
    }
}

/// A token that was issued at `issued`.
pub(super) fn token(access: &str, refresh: &str, issued: u64) -> Token {
    token_until(access, Some(refresh), issued, issued + LIFE)
}

pub(super) fn access_token(token: &Token) -> String {
    token.access_token().expose_secret().to_owned()
}

/// The access token of a slot.
pub(super) fn held(slot: &Slot) -> Option<String> {
    Some(access_token(&slot.published()?.token))
}

/// A caller with a token endpoint and without a grant.
pub(super) fn caller() -> Caller {
    Caller {
        grant: None,
        can_ask: true,
    }
}

pub(super) fn next(slot: &TestSlot, need: &Need, now: Now) -> Action {
    slot.next(need, &caller(), now)
}

/// The name of an action.
pub(super) fn name(action: &Action) -> &'static str {
    match action {
        Action::Use(_) => "use",
        Action::Wait(_) => "wait",
        Action::Load(_) => "load",
        Action::Renew(_, Some(_)) => "renew early",
        Action::Renew(_, None) => "renew",
        Action::Follow(_) => "follow",
        Action::Fail(error) if error.needs_login() => "log in",
        Action::Fail(_) => "fail",
    }
}

/// The name of the next action of a caller, whose claim, if it gets one, is dropped at once.
pub(super) fn next_action(slot: &TestSlot, need: &Need, now: Now) -> &'static str {
    name(&next(slot, need, now))
}

/// The claim of a caller that has to renew.
pub(super) fn lead(slot: &TestSlot, need: &Need, now: Now) -> Claim {
    match next(slot, need, now) {
        Action::Renew(claim, _) | Action::Load(claim) => claim,
        other => panic!("{} instead of a claim", name(&other)),
    }
}

/// A complete renewal, delivered to the hook.
pub(super) fn renew(slots: &Slots, slot: &TestSlot, token: Token, now: Now) -> Outcome {
    let claim = lead(slot, &Need::Renewed, now);
    slots
        .publish(&claim, token, None, &mut None, true, now)
        .expect("without a problem")
}

/// Begins the delivery of the next update of a slot.
pub(super) fn begin_delivery(slot: &TestSlot) -> Option<(TokenUpdate, InProgress)> {
    match slot.take_update() {
        Due::Mine(update, progress) => Some((update, progress)),
        Due::Nothing | Due::Busy(_) => None,
    }
}

/// Delivers all updates of a slot: access token, previous access token, superseded.
pub(super) fn deliver_all(slots: &Slots, slot: &TestSlot, now: Now) -> Vec<(String, String, bool)> {
    let mut delivered = Vec::new();
    while let Some((update, progress)) = begin_delivery(slot) {
        let previous = update.previous_access_token.as_ref();
        let previous = previous.map(|previous| previous.expose_secret().to_owned());
        delivered.push((
            access_token(&update.token),
            previous.unwrap_or_default(),
            update.superseded,
        ));
        slots.delivered(progress, now);
    }
    delivered
}

/// The error of an overloaded server.
pub(super) fn transient(retry_after: Option<&'static str>) -> Error {
    let mut headers = HeaderMap::new();
    if let Some(retry_after) = retry_after {
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a header"));
    }
    Error::refused(ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, headers))
}

/// The error of a server that refuses the refresh token.
pub(super) fn refusal() -> Error {
    Error::refused(ErrorResponse::in_callback("invalid_grant", None, None))
}

/// A slot with a token that its store holds in version 3.
pub(super) fn stored(slots: &Slots, token: Token, now: Now) -> TestSlot {
    let slot = slots.first(None, Some(store(0)), now);
    let learned = load(slots, &slot, Some(token), 3, now);
    assert_eq!(learned, Learned::Adopted);
    slot
}

pub(super) fn load(
    slots: &Slots,
    slot: &TestSlot,
    token: Option<Token>,
    version: u64,
    now: Now,
) -> Learned {
    let stored = StoredToken::new(token, version);
    slots.learn(slot, &slot.snapshot(), Some(stored), now)
}

/// Saves the unsaved token, successfully.
pub(super) fn save(slot: &TestSlot) -> Option<StoredToken> {
    let Due::Mine(unsaved, progress) = slot.take_unsaved() else {
        return None;
    };
    let next = unsaved.next.clone()?;
    slot.saved(&unsaved, &next);
    progress.done();
    Some(next)
}

pub(super) fn is_pending(slots: &Slots, slot: &TestSlot) -> bool {
    slots
        .pending()
        .iter()
        .any(|pending| Arc::ptr_eq(pending, slot))
}

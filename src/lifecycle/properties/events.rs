//! Events, and the reference model, which counts handles and flights.

use Demand::{Other, Renewed, Usable};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

/// Maximum number of handles.
const HANDLES: usize = 5;

/// Number of users. Each has the store of this number, beginning with 1; that of the client is 0.
pub(super) const USERS: usize = 2;

/// Index of one of several, modulo their number.
pub(super) type Index = u8;

/// Demand of a caller.
#[derive(Clone, Copy, Debug)]
pub(super) enum Demand {
    Usable,
    Renewed,
    Other,
}

/// Refresh token of a response.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rotation {
    Rotated,
    Kept,
    /// One that was issued before, to any user.
    Known(Index),
}

/// Lifetime of a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    Seconds(u64),
    /// A negative lifetime.
    Negative,
    Endless,
}

/// Failure of a renewal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Transient,
    RetryAfter,
    Refusal,
    /// Nothing was sent.
    Unsent,
}

/// Stored token of a user.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    Login,
    /// A token as it was issued or stored.
    Known(Index),
    /// Another access token for a refresh token that was issued.
    Newer(Index),
}

/// Outcome of a save.
#[derive(Clone, Copy, Debug)]
pub(super) enum Saving {
    Answered,
    /// It is stored, but no response arrives.
    Unanswered,
    Failed,
    /// The saving process is cut off.
    CutOff,
}

/// Change of the store by another process.
#[derive(Clone, Copy, Debug)]
pub(super) enum External {
    Login,
    Renewal,
    Revocation,
    Loss,
    /// A restored backup, or a write that ignores versions.
    Back(Index),
    Lease,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Ask(Index, Demand),
    Reload(Index),
    /// A flight of a client with a store continues: it reads the store, then sends the request.
    Proceed(Index),
    Answer(Index, Rotation, Life),
    Fail(Index, Failure),
    /// The leader is cut off. A leader that hangs stays as it is.
    CutOff(Index),
    /// A renewed token is refused, or not.
    Refuse(Index, bool),
    Set(Index, Row),
    Forget(Index),
    Child(Row),
    Close(Index),
    /// A hook that hangs has no end.
    BeginDelivery(Index),
    /// The hook takes the update; or it fails, or panics.
    EndDelivery(Index, bool),
    BeginSaving(Index),
    EndSaving(Index, Saving),
    External(Index, External),
    /// A store that fails from now on, or works again.
    Break(Index),
    /// A client for a user.
    ForUser(Index),
    /// A login is kept for a user: that of a child, or a new one.
    KeepFor(Index, Index),
    ForgetUser(Index),
    /// Both clocks advance, in milliseconds.
    Pass(u32),
    /// The wall clock is set, by a difference in seconds.
    SetClock(i64),
}

/// Start of the reference model, and the number of children so far.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) has_store: bool,
    pub(super) has_hook: bool,
    pub(super) has_users: bool,
    /// The first of them is the client.
    pub(super) handles: usize,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Event;

    fn init_state() -> BoxedStrategy<Self> {
        let reference = |(has_store, has_hook, has_users)| Self {
            has_store,
            has_hook,
            has_users,
            handles: 1,
        };
        any::<(bool, bool, bool)>().prop_map(reference).boxed()
    }

    /// One number per event, as creating a strategy for each choice takes most of the time.
    fn transitions(state: &Self) -> BoxedStrategy<Event> {
        let (has_users, has_hook) = (state.has_users, state.has_hook);
        let has_store = state.has_store || has_users;
        let event = move |number: u32| {
            let [weight, index, choice, other] = number.to_be_bytes();
            event(
                [has_store, has_hook, has_users],
                weight,
                [index, choice, other],
            )
        };
        any::<u32>().prop_map(event).boxed()
    }

    fn preconditions(state: &Self, event: &Event) -> bool {
        match event {
            Event::ForUser(_) => state.has_users && state.handles < HANDLES,
            Event::KeepFor(..) | Event::ForgetUser(_) => state.has_users,
            Event::Child(_) => state.handles < HANDLES,
            Event::Close(_) => state.handles > 1,
            _ => true,
        }
    }

    fn apply(mut state: Self, event: &Event) -> Self {
        match event {
            Event::Child(_) | Event::ForUser(_) => state.handles += 1,
            Event::Close(_) => state.handles -= 1,
            _ => {}
        }
        state
    }
}

/// The event of `weight`, with further choices. Without a store, a hook or users, time passes instead
/// of their events.
fn event([has_store, has_hook, has_users]: [bool; 3], weight: u8, choices: [u8; 3]) -> Event {
    let [index, choice, other] = choices;
    let row = match choice % 3 {
        0 => Row::Login,
        1 => Row::Known(other),
        _ => Row::Newer(other),
    };
    match weight % 72 {
        0..12 => Event::Ask(
            index,
            one_of(&[Usable, Usable, Usable, Renewed, Other], choice),
        ),
        12..20 => Event::Answer(index, rotation(choice), one_of(LIVES, other)),
        20..26 if has_store => Event::Proceed(index),
        26..29 if has_store => Event::BeginSaving(index),
        29..32 if has_store => Event::EndSaving(index, one_of(SAVINGS, choice)),
        32..34 if has_store => Event::External(index, external(choice, other)),
        34 if has_store => Event::Reload(index),
        35..38 if has_hook => Event::BeginDelivery(index),
        38..40 if has_hook => Event::EndDelivery(index, choice % 2 == 0),
        40..42 => Event::Fail(index, one_of(FAILURES, choice)),
        42 => Event::CutOff(index),
        43 => Event::Refuse(index, choice % 2 == 0),
        44..46 => Event::Set(index, row),
        46 => Event::Forget(index),
        47..50 => Event::Child(row),
        50 => Event::Close(index),
        51 => Event::SetClock(one_of(&[-5000, -90, -1, 30, 5000], choice)),
        60 if has_store => Event::Break(index),
        61..65 if has_users => Event::ForUser(index),
        65..68 if has_users => Event::KeepFor(index, choice),
        68 if has_users => Event::ForgetUser(index),
        _ => Event::Pass(one_of(&[100, 700, 1_500, 20_000, 59_000, 400_000], choice)),
    }
}

const LIVES: &[Life] = &[
    Life::Seconds(90),
    Life::Seconds(0),
    Life::Seconds(1),
    Life::Seconds(1000),
    Life::Negative,
    Life::Endless,
];
const FAILURES: &[Failure] = &[
    Failure::Transient,
    Failure::RetryAfter,
    Failure::Refusal,
    Failure::Unsent,
];
const SAVINGS: &[Saving] = &[
    Saving::Answered,
    Saving::Answered,
    Saving::Unanswered,
    Saving::Failed,
    Saving::CutOff,
];

fn rotation(choice: u8) -> Rotation {
    match choice % 5 {
        0..3 => Rotation::Rotated,
        3 => Rotation::Kept,
        _ => Rotation::Known(choice / 5),
    }
}

fn external(choice: u8, index: Index) -> External {
    match choice % 6 {
        0 => External::Login,
        1 => External::Renewal,
        2 => External::Revocation,
        3 => External::Loss,
        4 => External::Back(index),
        _ => External::Lease,
    }
}

fn one_of<T: Copy>(these: &[T], choice: u8) -> T {
    these[usize::from(choice) % these.len()]
}

//! Sequences that lose a token, use one twice, or block, if a rule of the life cycle is missing.
//!
//! | file | scenario |
//! |------|----------|
//! | [`hooks`] | `a_hook_that_never_returns_prevents_no_renewal` |
//! | [`hooks`] | `a_hook_that_panics_each_time_prevents_no_renewal` |
//! | [`close`] | `close_waits_for_the_renewals_of_children_that_nobody_holds`; async: `close_waits_for_the_renewals_of_handlers_that_were_dropped` |
//! | [`waits`] | `a_renewal_that_exceeds_its_limit_blocks_no_caller`; async: `a_renewal_in_a_blocked_runtime_blocks_no_other_caller` |
//! | [`waits`] | `a_child_with_the_client_s_own_token_never_spends_it_again` |
//! | [`waits`] | `a_request_s_own_timeout_bounds_the_wait_for_a_renewal`, `a_request_s_own_timeout_bounds_the_renewal_after_a_401` |
//! | [`pacing`] | `a_server_s_wish_to_be_left_alone_counts_up_to_five_minutes` |
//! | [`pacing`] | `a_server_that_is_down_is_asked_once_however_many_call` |
//! | [`zero`] | all of it |
//! | [`pacing`] | `short_tokens_are_not_renewed_in_the_first_half_of_their_life` |
//! | [`answers`] | `a_token_is_never_put_beside_the_caller_s_own_authorization` |
//! | [`answers`] | `an_empty_scope_is_none_and_a_refresh_sends_none` |
//! | [`answers`] | `a_store_on_a_fifo_is_an_error_at_once` |
//! | [`hooks`] | `updates_of_superseded_logins_that_nobody_takes_are_bounded`; `events`: `updates_that_are_given_up_are_told` |
//! | [`answers`] | `a_token_that_no_header_can_carry_replaces_nothing` |
//! | [`close`] | `after_close_no_token_request_begins` |

use super::{
    test,
    token_store::{Shelf, strict},
    *,
};

mod answers;
pub mod close;
mod hooks;
mod pacing;
mod waits;
mod zero;

/// A wait without end.
#[maybe_async]
async fn never() {
    loop {
        sleep(seconds(3600)).await;
    }
}

/// The access token in use.
fn in_use(client: &OAuth2Client) -> String {
    let token = client.token();
    token.map_or_else(String::new, |token| access_token(&token).to_owned())
}

/// Fails if more than `limit` has passed, which is far more than it takes and far less than what a
/// wait without that bound would.
fn assert_within(limit: Duration, begun: Instant) {
    let elapsed = begun.elapsed();
    assert!(elapsed < limit, "{elapsed:?}");
}

//! Registrations that their servers do not know any longer.

use crate::oauth2::client::RegisteredClient;

/// Limit of registrations that are remembered as unknown. An older one costs a request at most.
const REMEMBERED: usize = 8;

/// Registrations that their servers do not know any longer, the last ones.
#[derive(Default)]
pub(super) struct Forgotten(Vec<RegisteredClient>);

impl Forgotten {
    pub(super) fn add(&mut self, registered: RegisteredClient) {
        self.retract(&registered);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(registered);
    }

    /// The server may have registered a client by the same identifier again.
    pub(super) fn retract(&mut self, registered: &RegisteredClient) {
        self.0.retain(|other| !other.is_same(registered));
    }

    pub(super) fn contains(&self, registered: &RegisteredClient) -> bool {
        self.0.iter().any(|other| other.is_same(registered))
    }
}

//! ResourceParts of a client for a protected resource: one for each server that its tokens are of.

use std::sync::Arc;

use super::{super::shared::Shared, established::Established};

/// ResourceParts of a client. One stays as long as a handle uses it, as long as it is that of the established
/// client, and until everything that it owes is delivered: `close` finds it here.
#[derive(Default)]
pub(super) struct ResourceParts(Vec<ResourcePart>);

/// ResourcePart of a client.
pub(super) struct ResourcePart {
    /// None, if its server is not known yet.
    established: Option<Arc<Established>>,
    shared: Arc<Shared>,
}

impl ResourceParts {
    pub(super) fn add(&mut self, established: Option<Arc<Established>>, shared: Arc<Shared>) {
        self.0.push(ResourcePart {
            established,
            shared,
        });
    }

    pub(super) fn of(&self, established: &Established) -> Option<Arc<Shared>> {
        let mut parts = self.0.iter();
        let part = parts.find(|part| part.is_of(established))?;
        Some(part.shared.clone())
    }

    pub(super) fn all(&self) -> Vec<Arc<Shared>> {
        let parts = self.0.iter();
        parts.map(|part| part.shared.clone()).collect()
    }

    /// Takes those that are of no use any more, to be dropped without a lock, as the stores of users
    /// are the caller's code.
    pub(super) fn take_unused(&mut self, current: Option<&Established>) -> Vec<ResourcePart> {
        let is_unused = |part: &mut ResourcePart| !part.is_used(current);
        self.0.extract_if(.., is_unused).collect()
    }
}

impl ResourcePart {
    fn is_of(&self, established: &Established) -> bool {
        let own = self.established.as_ref();
        own.is_some_and(|own| own.is_same(established))
    }

    fn is_used(&self, current: Option<&Established>) -> bool {
        Arc::strong_count(&self.shared) > 1
            || current.is_some_and(|current| self.is_of(current))
            || self.shared.slots.owes()
    }
}

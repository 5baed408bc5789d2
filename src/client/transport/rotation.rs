//! Connections whose client certificate changes: each certificate has its own, as a connection and a
//! resumed TLS session keep the certificate that they began with.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    connections::{ConnectionSettings, Connections},
    presentation::Presentation,
};
use crate::{
    error::Result,
    oauth2::client_auth::certificate::{certified_key::CertifiedKey, value::ClientCertificate},
    trace,
};

/// Time between two looks at the files for requests to APIs.
const INTERVAL: Duration = Duration::from_secs(1);

/// Connections with the certificate as it was read last.
pub(in super::super) struct CertificateRotation {
    certificate: ClientCertificate,
    by: &'static dyn Presentation,
    connections: RwLock<Arc<Connections>>,
    /// The certificate for which connections were made last, or could not be made.
    latest: Mutex<Arc<CertifiedKey>>,
    started: Instant,
    /// Milliseconds from the start to the last look at the files.
    checked_at: AtomicU64,
}

impl CertificateRotation {
    pub(super) fn new(
        certificate: ClientCertificate,
        settings: &ConnectionSettings,
        by: &'static dyn Presentation,
    ) -> Result<Self> {
        let latest = certificate.current();
        let binding = certificate.is_credential();
        let connections = Connections::presenting(settings, &latest, by, binding)?;
        Ok(Self {
            certificate,
            by,
            connections: RwLock::new(Arc::new(connections)),
            latest: Mutex::new(latest),
            started: Instant::now(),
            checked_at: AtomicU64::new(0),
        })
    }

    /// The connections in use.
    pub(super) fn connections(&self) -> Arc<Connections> {
        let connections = self.connections.read();
        connections.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the certificate again if its files have changed, at most once a second.
    pub(super) fn update_at_intervals(&self, settings: &ConnectionSettings) {
        let now = self.started.elapsed().as_millis() as u64;
        let checked_at = self.checked_at.load(Ordering::Relaxed);
        if now.saturating_sub(checked_at) >= INTERVAL.as_millis() as u64 {
            self.checked_at.store(now, Ordering::Relaxed);
            self.update(settings);
        }
    }

    /// Reads the certificate again if its files have changed, and makes new connections then. The
    /// old ones stay in use if there is no usable certificate.
    pub(super) fn update(&self, settings: &ConnectionSettings) {
        self.by.update(self, settings);
    }

    pub(super) fn read_again(&self, settings: &ConnectionSettings) {
        if let Err(error) = self.certificate.reload() {
            trace::certificate_unusable(&error);
        }
        let current = self.certificate.current();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&latest, &current) {
            return;
        }
        let binding = self.certificate.is_credential();
        match Connections::presenting(settings, &current, self.by, binding) {
            Ok(connections) => {
                let mut in_use = self
                    .connections
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *in_use = Arc::new(connections);
            }
            Err(error) => trace::certificate_unusable(&error),
        }
        *latest = current;
    }
}

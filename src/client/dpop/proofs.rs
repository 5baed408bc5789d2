//! Keys of a client with what signs, and the proofs by them.
//!
//! [RFC 9449 section 4](https://www.rfc-editor.org/rfc/rfc9449#section-4)

use std::{sync::Arc, time::Duration};

use reqwest::header::HeaderValue;

use super::{
    super::{CallProofs, KeyProofs, Sign, maybe_async},
    external::external_signature,
};
use crate::{
    error::{Error, Result},
    jose::{Algorithm, ExternalKey, Jwk},
    oauth2::{
        dpop::{
            key::DpopKey,
            keys::DpopKeys,
            nonce::Nonces,
            proof::{DpopProof, header},
        },
        token::dpop::BindingKeys,
    },
};

/// Settings of a builder.
#[derive(Clone, Default)]
pub(in super::super::super) struct DpopSettings {
    present: Option<DpopKey>,
    earlier: Vec<DpopKey>,
    signers: Vec<(DpopKey, Sign)>,
    problem: Option<Error>,
    /// Of all who have a key.
    proofs: Option<&'static dyn CallProofs>,
}

impl DpopSettings {
    pub(in super::super) fn set(&mut self, key: DpopKey) {
        self.present = Some(key);
        self.proofs = Some(&KeyProofs);
    }

    pub(in super::super) fn add_earlier(&mut self, key: DpopKey) {
        self.earlier.push(key);
    }

    pub(in super::super::super) fn set_external(
        &mut self,
        key: &ExternalKey,
        public: &Jwk,
        sign: Sign,
    ) {
        match DpopKey::external(key.algorithm(), public) {
            Ok(key) => {
                self.signers.push((key.clone(), sign));
                self.set(key);
            }
            Err(error) => self.problem = Some(error),
        }
    }

    pub(in super::super) fn is_set(&self) -> bool {
        self.present.is_some()
    }

    /// The algorithms of all keys.
    pub(in super::super) fn algorithms(&self) -> Vec<Algorithm> {
        let keys = self.present.iter().chain(&self.earlier);
        keys.map(DpopKey::algorithm).collect()
    }

    /// Why the settings cannot be used.
    pub(in super::super) fn problem(&self) -> Option<String> {
        let has_no_signer = |key: &&DpopKey| {
            let signs = |(known, _): &(DpopKey, Sign)| known.thumbprint() == key.thumbprint();
            key.local().is_none() && !self.signers.iter().any(signs)
        };
        if let Some(error) = &self.problem {
            return Some(format!("cannot be used: {error}"));
        }
        if self.present.is_none() && !self.earlier.is_empty() {
            return Some("is missing, and only earlier_dpop_key is set".to_owned());
        }
        let mut keys = self.present.iter().chain(&self.earlier);
        let external = keys.find(has_no_signer);
        external.map(|_| "is an external key; give it to dpop_signer with its signer".to_owned())
    }

    /// The keys, if there is a present one.
    pub(in super::super) fn dpop(&self) -> Option<Dpop> {
        self.proofs?.of(self)
    }

    /// The keys with what makes their proofs.
    pub(in super::super) fn proved_by(&self, proofs: &'static dyn CallProofs) -> Option<Dpop> {
        let keys = DpopKeys::new(self.present.clone()?, self.earlier.clone());
        let keys = Arc::new(keys);
        Some(Dpop {
            binding: keys.clone(),
            keys,
            proofs,
            signers: self.signers.clone(),
            of_server: Nonces::default(),
            of_resources: Nonces::default(),
        })
    }
}

/// Keys of a client and its children, with what signs, and the nonces of servers.
pub(in super::super) struct Dpop {
    pub(in super::super) keys: Arc<DpopKeys>,
    /// The same for the life cycle.
    pub(in super::super) binding: Arc<dyn BindingKeys>,
    pub(in super::super) proofs: &'static dyn CallProofs,
    signers: Vec<(DpopKey, Sign)>,
    /// Nonces of authorization servers, for their endpoints.
    pub(in super::super) of_server: Nonces,
    /// Nonces of resource servers, which may be at the same origin.
    pub(in super::super) of_resources: Nonces,
}

#[maybe_async]
impl Dpop {
    /// The signed proof. An external key signs within `limit`, under the `marks` of the slot.
    pub(in super::super) async fn sign(
        &self,
        key: &DpopKey,
        proof: &DpopProof<'_>,
        limit: Duration,
        marks: [usize; 2],
    ) -> Result<HeaderValue> {
        if key.local().is_some() {
            return proof.sign(key);
        }
        let is_key = |(known, _): &&(DpopKey, Sign)| known.thumbprint() == key.thumbprint();
        let (_, sign) = self.signers.iter().find(is_key).ok_or_else(|| {
            Error::usage("the DPoP key is external; give it to dpop_signer with its signer")
        })?;
        let input = proof.unsigned(key)?;
        let message = input.as_bytes().to_vec();
        let signature = external_signature(sign.clone(), message, marks, limit).await?;
        header(&input.with_signature(&key.signature(&signature)?))
    }
}

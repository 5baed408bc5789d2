//! Keys in a KMS or an HSM.

use crate::{
    error::{Error, Result},
    jose::{
        Algorithm, Header, VerifyingKey,
        algorithm::KeyType,
        der::Der,
        private_key::padded,
        signing_key::{certificate, thumbprint},
    },
};

/// Private key in a KMS or an HSM: its algorithm, identifier and certificate.
///
/// ```
/// use oauth_twin::jose::{Algorithm, ExternalKey};
///
/// let key = ExternalKey::new(Algorithm::ES256).with_key_id("projects/p/keys/k/1");
/// assert_eq!(key.header().key_id(), Some("projects/p/keys/k/1"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalKey(Header);

impl ExternalKey {
    /// Makes a key that signs by `algorithm`.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(Header::new(algorithm))
    }

    /// Sets the identifier, which goes into the header of signed tokens.
    ///
    /// [RFC 7515 section 4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4)
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self(self.0.with_key_id(key_id))
    }

    /// Sets the certificate of the key, whose SHA-256 goes into the header of signed tokens
    /// (`x5t#S256`). Microsoft requires it.
    ///
    /// # Errors
    ///
    /// If there is no certificate in `pem`, or its key is of another type than the algorithm needs.
    ///
    /// [RFC 7515 section 4.1.8](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.8)
    pub fn with_certificate(self, pem: impl AsRef<[u8]>) -> Result<Self> {
        let certificate = certificate(pem.as_ref())?;
        VerifyingKey::from_der(self.algorithm(), &certificate)?;
        Ok(Self(self.0.with("x5t#S256", thumbprint(&certificate))))
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// The header of the tokens that it signs.
    pub fn header(&self) -> Header {
        self.0.clone()
    }

    /// Converts a signature to the form of JWS. AWS and Google return ECDSA signatures in DER,
    /// which are converted to the concatenation of both numbers.
    ///
    /// ```
    /// use oauth_twin::jose::{Algorithm, ExternalKey};
    ///
    /// let key = ExternalKey::new(Algorithm::ES256);
    /// let der = [0x30, 7, 2, 1, 5, 2, 2, 0, 0x80];
    /// let signature = key.signature(&der)?;
    /// assert_eq!((signature.len(), signature[31], signature[63]), (64, 5, 0x80));
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If its length is not that of a signature by this algorithm.
    ///
    /// [RFC 7518 section 3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)
    pub fn signature(&self, signature: &[u8]) -> Result<Vec<u8>> {
        let key_type = self.algorithm().key_type();
        let is_good = match key_type {
            KeyType::P256 | KeyType::P384 => {
                let coordinate = key_type.coordinate().unwrap_or_default();
                if signature.len() != 2 * coordinate
                    && let Some(signature) = numbers(signature, coordinate)
                {
                    return Ok(signature);
                }
                signature.len() == 2 * coordinate
            }
            KeyType::Ed25519 => signature.len() == 64,
            KeyType::Rsa => signature.len() >= 256,
            KeyType::Secret => signature.len() >= 32,
        };
        match is_good {
            true => Ok(signature.to_vec()),
            false => Err(Error::usage(format!(
                "the signer returned {} bytes, which are not a signature by {}; check the \
                 algorithm of its key",
                signature.len(),
                self.algorithm()
            ))),
        }
    }
}

/// The concatenation of the two numbers of an ECDSA signature in DER.
fn numbers(der: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut sequence = Der::sequence(der)?;
    let [r, s] = [sequence.unsigned()?, sequence.unsigned()?];
    let [r, s] = [padded(r, length)?, padded(s, length)?];
    sequence.is_end().then(|| [&r[..], &s[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_signature_is_refused() {
        for (algorithm, good, bad) in [
            (Algorithm::ES256, 64, &[0_usize, 32, 63, 65, 72, 96] as &[_]),
            (Algorithm::ES384, 96, &[0, 64, 95, 97, 102]),
            (Algorithm::EdDSA, 64, &[0, 63, 65]),
            (Algorithm::RS256, 256, &[0, 128, 255]),
        ] {
            let key = ExternalKey::new(algorithm);
            assert!(key.signature(&vec![7; good]).is_ok());
            for length in bad {
                let error = key.signature(&vec![7; *length]).expect_err("no signature");
                assert!(
                    error.to_string().contains(&format!("{length} bytes")),
                    "{error}"
                );
            }
        }
        // Numbers that are too long, a third one, a rest, a negative one.
        let key = ExternalKey::new(Algorithm::ES256);
        let mut long = vec![0x30, 38, 2, 33];
        long.extend([7; 33]);
        long.extend([2, 1, 7]);
        for der in [
            &long[..],
            &[0x30, 9, 2, 1, 5, 2, 1, 5, 2, 1, 5],
            &[0x30, 6, 2, 1, 5, 2, 1, 5, 0],
            &[0x30, 6, 2, 1, 0x85, 2, 1, 5],
        ] {
            assert!(key.signature(der).is_err(), "{der:?}");
        }
    }
}

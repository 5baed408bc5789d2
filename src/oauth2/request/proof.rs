//! Proofs of possession of endpoint requests.
//!
//! [RFC 9449 section 5](https://www.rfc-editor.org/rfc/rfc9449#section-5)

use http::HeaderValue;

use super::EndpointRequest;
use crate::{
    error::{Error, Result},
    jose::Algorithm,
    oauth2::dpop::{
        binding::{Binding, Proved},
        key::DpopKey,
        nonce::Nonce,
        proof::{DPOP, DpopProof},
    },
};

impl EndpointRequest {
    /// Adds a proof of possession of `key`, with the last `DPoP-Nonce` of the server. The token in
    /// the response is bound to it. Clients do so with their `dpop` themselves.
    ///
    /// It is the last step before the request is sent, as the proof is for its method and URL.
    ///
    /// ```
    /// use oauth_twin::{jose::Algorithm, oauth2::{
    ///     AuthorizationServer, ClientCredentials, ClientRegistration, DpopKey, TokenEndpoint,
    /// }};
    ///
    /// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
    /// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
    /// let key = DpopKey::generate(Algorithm::ES256)?;
    /// let mut request = endpoint.request(&ClientCredentials::new())?;
    /// request.prove(&key, None)?;
    /// assert!(request.headers().contains_key("dpop"));
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the key is external, the nonce cannot be sent, or the server lists
    /// `dpop_signing_alg_values_supported` without the algorithm of the key.
    ///
    /// [RFC 9449 section 5](https://www.rfc-editor.org/rfc/rfc9449#section-5)
    pub fn prove(&mut self, key: &DpopKey, nonce: Option<&str>) -> Result<()> {
        let nonce = match nonce {
            Some(nonce) => Some(Nonce::restored(nonce).ok_or_else(|| {
                Error::usage(
                    "the nonce is empty, too long or has characters that a nonce cannot have",
                )
            })?),
            None => None,
        };
        let proof = self.proof(key, nonce.as_ref())?.sign(key)?;
        self.set_proof(proof, key, nonce);
        Ok(())
    }

    /// The proof before it is signed.
    pub(crate) fn proof<'a>(
        &'a self,
        key: &DpopKey,
        nonce: Option<&'a Nonce>,
    ) -> Result<DpopProof<'a>> {
        let supported = self.server.dpop_signing_alg_values_supported();
        let supported = supported.unwrap_or_default();
        // `EdDSA` and `Ed25519` are two names of one. A list without one known name narrows nothing.
        let known = supported.iter().filter_map(|name| name.parse().ok());
        let known: Vec<Algorithm> = known.collect();
        let algorithm = key.algorithm();
        if !known.is_empty() && !known.contains(&algorithm) {
            return Err(Error::usage(format!(
                "the DPoP key signs by {algorithm}, which the server does not list in \
                 dpop_signing_alg_values_supported; use a key for one of those that it lists"
            )));
        }
        let proof = DpopProof::new(&self.method, &self.url)
            .clock(self.clock.clone())
            .with_fully_specified(supported.contains(&"Ed25519") && !supported.contains(&"EdDSA"))
            .with_clock_offset(self.clock_offset.clone());
        Ok(match nonce {
            Some(nonce) => proof.nonce(nonce.as_str()),
            None => proof,
        })
    }

    pub(crate) fn set_proof(&mut self, proof: HeaderValue, key: &DpopKey, nonce: Option<Nonce>) {
        self.headers_mut().insert(DPOP, proof);
        self.proved = Some(Box::new(Proved {
            thumbprint: key.thumbprint().into(),
            nonce,
        }));
    }

    /// The proof that was added.
    pub(crate) fn proved(&self) -> Option<&Proved> {
        self.proved.as_deref()
    }

    /// Whether the endpoint binds what it issues: a token, or a pushed authorization request.
    #[allow(dead_code, reason = "only the clients prove by themselves")]
    pub(crate) fn is_to_be_proved(&self) -> bool {
        matches!(
            self.endpoint,
            "token_endpoint" | "pushed_authorization_request_endpoint"
        )
    }

    /// The key that what is sent is bound to, if it is bound.
    #[allow(dead_code, reason = "only the clients prove by themselves")]
    pub(crate) fn binding(&self) -> Option<&Binding> {
        self.binding.as_deref()
    }

    /// Binds what is sent to a key.
    pub(crate) fn bind(&mut self, binding: Option<Binding>) {
        self.binding = binding.map(Box::new);
    }
}

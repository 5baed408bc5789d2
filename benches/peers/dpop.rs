//! Requests with a token that is bound to a key, by huskarl on *ring*, as ours is.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderValue, Method, Uri, header::AUTHORIZATION};
use huskarl::core::{
    Error,
    crypto::signer::{
        AsymmetricJwsSigner, AsymmetricJwsSignerSelector, JwsSigner, JwsSignerSelector,
    },
    dpop::{ResourceDPoP, ResourceServerDPoP as _},
    jwk::PublicJwk,
    platform::MaybeSendBoxFuture,
    secrets::SecretString,
};
use oauth_twin::{
    jose::{Algorithm, SigningKey},
    reqwest::{Client, Response},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};

use crate::{ACCESS_TOKEN, BenchResult};

/// A key on P-256, in PKCS#8.
pub fn key() -> BenchResult<Vec<u8>> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    Ok(key.map_err(|_| "no key")?.as_ref().to_vec())
}

/// huskarl's proofs, added to requests by hand.
pub struct Huskarl {
    http: Client,
    proofs: ResourceDPoP,
    token: SecretString,
    thumbprint: String,
    header: HeaderValue,
    uri: Uri,
}

impl Huskarl {
    pub fn new(url: &str) -> BenchResult<Self> {
        let pkcs8 = key()?;
        let public = SigningKey::from_der(Algorithm::ES256, &pkcs8)?.public_jwk();
        let public = public.ok_or("no public key")?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random);
        let signer = RingSigner {
            key: key.map_err(|_| "a bad key")?,
            public: serde_json::from_value(serde_json::to_value(&public)?)?,
        };
        let proofs = ResourceDPoP::builder().signer(Selector(Arc::new(signer)));
        Ok(Self {
            http: Client::new(),
            proofs: proofs.build(),
            token: SecretString::new(ACCESS_TOKEN),
            thumbprint: public.thumbprint()?,
            header: HeaderValue::try_from(format!("DPoP {ACCESS_TOKEN}"))?,
            uri: url.parse()?,
        })
    }

    pub async fn send(&self, url: &str) -> BenchResult<Response> {
        let proof = self
            .proofs
            .proof(&Method::GET, &self.uri, &self.token, &self.thumbprint)
            .await?;
        let proof = proof.ok_or("no proof")?;
        let request = self
            .http
            .get(url)
            .header(AUTHORIZATION, self.header.clone());
        Ok(request.header("DPoP", proof.expose_secret()).send().await?)
    }
}

#[derive(Debug)]
struct RingSigner {
    key: EcdsaKeyPair,
    public: PublicJwk,
}

impl JwsSigner for RingSigner {
    fn jws_algorithm(&self) -> Cow<'_, str> {
        "ES256".into()
    }

    fn key_id(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> MaybeSendBoxFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let signature = self.key.sign(&SystemRandom::new(), input);
            Ok(signature.expect("randomness").as_ref().to_vec())
        })
    }
}

impl AsymmetricJwsSigner for RingSigner {
    fn public_key_jwk(&self) -> Cow<'_, PublicJwk> {
        Cow::Borrowed(&self.public)
    }
}

#[derive(Debug)]
struct Selector(Arc<RingSigner>);

impl JwsSignerSelector for Selector {
    fn select_signer(&self) -> MaybeSendBoxFuture<'_, Arc<dyn JwsSigner>> {
        let signer: Arc<dyn JwsSigner> = self.0.clone();
        Box::pin(async move { signer })
    }
}

impl AsymmetricJwsSignerSelector for Selector {
    fn select_asymmetric_signer(&self) -> MaybeSendBoxFuture<'_, Arc<dyn AsymmetricJwsSigner>> {
        let signer: Arc<dyn AsymmetricJwsSigner> = self.0.clone();
        Box::pin(async move { signer })
    }

    fn select_signer_by_thumbprint<'a>(
        &'a self,
        _thumbprint: &'a str,
    ) -> MaybeSendBoxFuture<'a, Option<Arc<dyn AsymmetricJwsSigner>>> {
        let signer: Arc<dyn AsymmetricJwsSigner> = self.0.clone();
        Box::pin(async move { Some(signer) })
    }
}

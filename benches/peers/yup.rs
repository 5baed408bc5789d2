//! yup-oauth2 with a token in memory, so that no disk is measured.

use std::{future::Future, pin::Pin, sync::Mutex};

use async_trait::async_trait;
use yup_oauth2::{
    ApplicationSecret, InstalledFlowAuthenticator, InstalledFlowReturnMethod,
    authenticator::DefaultAuthenticator,
    authenticator_delegate::InstalledFlowDelegate,
    storage::{TokenInfo, TokenStorage, TokenStorageError},
};

pub const SCOPES: [&str; 1] = ["reports:read"];

/// Of its flows, one whose token endpoint can be chosen and that refreshes.
pub async fn authenticator(
    token_endpoint: String,
    token: TokenInfo,
) -> std::io::Result<DefaultAuthenticator> {
    let secret = ApplicationSecret {
        client_id: "id".to_owned(),
        client_secret: "secret".to_owned(),
        token_uri: token_endpoint,
        ..ApplicationSecret::default()
    };
    InstalledFlowAuthenticator::builder(secret, InstalledFlowReturnMethod::Interactive)
        .with_storage(Box::new(Memory(Mutex::new(token))))
        .flow_delegate(Box::new(NoLogin))
        .build()
        .await
}

struct Memory(Mutex<TokenInfo>);

#[async_trait]
impl TokenStorage for Memory {
    async fn set(&self, _scopes: &[&str], token: TokenInfo) -> Result<(), TokenStorageError> {
        *self.0.lock().expect("no panic") = token;
        Ok(())
    }

    async fn get(&self, _scopes: &[&str]) -> Option<TokenInfo> {
        Some(self.0.lock().expect("no panic").clone())
    }
}

/// A refresh that fails leads to a login, and a login here to an error.
struct NoLogin;

impl InstalledFlowDelegate for NoLogin {
    fn present_user_url<'a>(
        &'a self,
        _url: &'a str,
        _need_code: bool,
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
        Box::pin(async { Err("the refresh failed".to_owned()) })
    }
}

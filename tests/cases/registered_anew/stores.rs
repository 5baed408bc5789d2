//! Stores that panic or call the client while it is registered.

use oauth_twin::Lease;

use super::{
    super::{cause, test},
    *,
};

/// Store in a file of which the next call of one kind panics, or is reentrant.
#[derive(Clone)]
struct Odd {
    file: FileTokenStore,
    panics: Arc<Mutex<Option<&'static str>>>,
    calls: Arc<Mutex<Option<OAuth2Client>>>,
    errors: Arc<Mutex<Vec<ErrorKind>>>,
}

impl Odd {
    fn new(folder: &Folder) -> Self {
        Self {
            file: FileTokenStore::new(folder.file("token.json")),
            panics: Arc::default(),
            calls: Arc::default(),
            errors: Arc::default(),
        }
    }

    fn panic_in(&self, call: &'static str) {
        *self.panics.lock().unwrap() = Some(call);
    }

    fn begin(&self, call: &str) {
        let panics = self.panics.lock().unwrap().take_if(|next| *next == call);
        assert!(panics.is_none(), "the store panics");
    }
}

#[maybe_async(AFIT)]
impl TokenStore for Odd {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        self.begin("load");
        TokenStore::load(&self.file).await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&self.file, next).await
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        self.begin("lease");
        TokenStore::lease(&self.file, time).await
    }

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        self.begin("load_registration");
        let client = self.calls.lock().unwrap().take();
        if let Some(client) = client {
            let results = [
                client.ensure_active_token().await.map(drop),
                client.close().await,
            ];
            let errors = results.map(|result| result.expect_err("reentrant").kind());
            self.errors.lock().unwrap().extend(errors);
        }
        TokenStore::load_registration(&self.file, issuer).await
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        self.begin("save_registration");
        TokenStore::save_registration(&self.file, issuer, registration).await
    }
}

#[maybe_async]
#[test]
async fn a_store_that_panics_costs_that_registration_alone() -> TestResult {
    for call in ["load_registration", "lease", "save_registration", "load"] {
        let (folder, registrar) = (Folder::new("panics-registering"), Registrar::default());
        let (server, store) = (registrar.start(), Odd::new(&folder));
        let register = || {
            unregistered(&server)
                .token_store(store.clone())
                .timeout(seconds(2))
                .register(metadata())
        };
        store.panic_in(call);
        let error = register().await.expect_err("a panic");
        assert_eq!(error.kind(), ErrorKind::Store, "{call}");
        assert_eq!(cause(&error), "it panicked", "{call}");
        let _ = register().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_panics_or_calls_the_client_as_it_is_registered_anew_blocks_no_caller()
-> TestResult {
    let (folder, registrar) = (Folder::new("registered-anew-by"), Registrar::default());
    let (server, store) = (registrar.start(), Odd::new(&folder));
    let clock = ManualClock::new();
    let client = unregistered(&server)
        .clock(clock.clock())
        .token_store(store.clone())
        .register(metadata())
        .await?
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    clock.advance(seconds(3601));
    store.panic_in("lease");
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), &*cause(&error)),
        (ErrorKind::Store, "it panicked")
    );
    clock.advance(seconds(61));
    *store.calls.lock().unwrap() = Some(client.clone());
    client.ensure_active_token().await?;
    assert_eq!(*store.errors.lock().unwrap(), [ErrorKind::Reentrant; 2]);
    assert_eq!(clients(&server).last().map(|id| &**id), Some("c2"));
    Ok(())
}

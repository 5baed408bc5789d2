//! The timeout of a request, which limits all that comes before it but a login.

use oauth_twin::{StoredToken, oauth2::RegisteredClient};
use support::folder::Folder;

use super::{super::test, *};

/// Store in a file that keeps calls of one kind waiting.
#[derive(Clone)]
struct Slow {
    file: FileTokenStore,
    holding: Arc<Mutex<Option<&'static str>>>,
}

impl Slow {
    fn hold(&self, what: Option<&'static str>) {
        *self.holding.lock().unwrap() = what;
    }

    fn is_held(&self, what: &str) -> bool {
        *self.holding.lock().unwrap() == Some(what)
    }
}

#[maybe_async(AFIT)]
impl TokenStore for Slow {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        while self.is_held("load") {
            sleep(Duration::from_millis(5)).await;
        }
        TokenStore::load(&self.file).await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&self.file, next).await
    }

    async fn lease(&self, time: Duration) -> Result<Option<oauth_twin::Lease>, BoxError> {
        TokenStore::lease(&self.file, time).await
    }

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        while self.is_held("load_registration") {
            sleep(Duration::from_millis(5)).await;
        }
        TokenStore::load_registration(&self.file, issuer).await
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        TokenStore::save_registration(&self.file, issuer, registration).await
    }
}

const SHORT: Duration = Duration::from_millis(300);

/// Much less than the other limits, and more than a busy machine needs.
const LONG: Duration = Duration::from_secs(6);

/// The time of the user does not count, and neither does what comes between the 401 and the login.
#[maybe_async]
#[test]
async fn a_slow_store_after_a_401_does_not_prevent_a_login() -> TestResult {
    let (world, folder) = (World::new(), Folder::new("slow-after-401"));
    let _server = world.server("");
    let store = Slow {
        file: FileTokenStore::new(folder.file("token.json")),
        holding: Arc::default(),
    };
    let (held, behind) = (store.clone(), world.clone());
    let resource = Server::start(move |request: &Request| {
        if request.path == "/mcp" && request.header("authorization").is_none() {
            held.hold(Some("load"));
            let held = held.clone();
            std::thread::spawn(move || {
                std::thread::sleep(SHORT * 5);
                held.hold(None);
            });
        }
        behind.answer(request)
    });
    let client = attended(&resource, &world).token_store(store).build()?;
    let request = client.get(resource.url("/mcp")).timeout(SHORT * 4);
    let response = request.send().await?;
    assert_eq!((response.status().as_u16(), world.visits().len()), (200, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_request_waits_for_its_store_no_longer_than_its_own_timeout() -> TestResult {
    let (world, folder) = (World::new(), Folder::new("slow-store"));
    let (server, resource) = (world.server(""), world.resource());
    let store = Slow {
        file: FileTokenStore::new(folder.file("token.json")),
        holding: Arc::default(),
    };
    let start = || {
        attended(&resource, &world)
            .token_store(store.clone())
            .build()
    };
    let first = start()?;
    opened(&first, &resource, "/mcp").await?;
    first.close().await?;
    for what in ["load", "load_registration"] {
        for is_sent in [true, false] {
            let client = start()?;
            store.hold(Some(what));
            let begun = Instant::now();
            let error = match is_sent {
                true => {
                    let request = client.get(resource.url("/mcp")).timeout(SHORT);
                    request.send().await.unwrap_err()
                }
                false => {
                    let url = Url::parse(&resource.url("/mcp"))?;
                    let mut request = http::Request::new(reqwest::Method::GET, url);
                    *request.timeout_mut() = Some(SHORT);
                    client.authorize(&mut request).await.unwrap_err()
                }
            };
            assert!(begun.elapsed() < LONG, "{what}: {:?}", begun.elapsed());
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{what}: {error}");
            assert!(error.is_transient());
            assert_eq!(error.to_string(), "timed out waiting for token_store");
            // Nothing is lost.
            store.hold(None);
            opened(&client, &resource, "/mcp").await?;
        }
    }
    assert_eq!((world.visits().len(), server.count("/token")), (1, 1));
    assert_eq!(server.count("/register"), 1);
    Ok(())
}

/// A resource that keeps a request for its metadata waiting.
fn held_resource(world: &World, gate: &Gate) -> Server {
    let (behind, held) = (world.clone(), gate.clone());
    Server::start(move |request: &Request| {
        if request.path == PATH {
            held.wait();
        }
        behind.answer(request)
    })
}

#[maybe_async]
#[test]
async fn nor_for_the_discovery_of_its_server() -> TestResult {
    let (world, gate) = (World::new(), Gate::new());
    let (server, resource) = (world.server(""), held_resource(&world, &gate));
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let child = client.for_token(Token::new("another"));
    for client in [&client, &child] {
        let begun = Instant::now();
        let request = client.get(resource.url("/mcp")).timeout(SHORT);
        let error = request.send().await.unwrap_err();
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert_eq!(
            error.to_string(),
            "timed out waiting for the authorization for the resource"
        );
    }
    // It goes on, for all that come later.
    gate.open();
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert!(error.login_request().is_some(), "{error}");
    assert_eq!((resource.count(PATH), server.count(OAUTH)), (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_time_of_a_login_is_not_that_of_the_request() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let user = world.clone();
    let client = for_resource(&resource)
        .login_with(move |url: Url| {
            let user = user.clone();
            async move {
                sleep(seconds(3)).await;
                user.visit(&url)
            }
        })
        .build()?;
    let request = client.get(resource.url("/mcp")).timeout(seconds(2));
    let response = request.send().await?;
    assert_eq!(
        (response.status().as_u16(), server.count("/token")),
        (200, 1)
    );
    Ok(())
}

//! The methods of a client that has sent no request yet, so that its server is not known by then.

use support::folder::Folder;

use super::{
    super::{test, token_store::Shelf},
    *,
};

/// What an earlier process has left behind.
struct Left {
    world: World,
    server: Server,
    resource: Server,
    clock: ManualClock,
    folder: Folder,
    user: Shelf,
}

#[maybe_async]
impl Left {
    /// After the login of the client itself, and of the user `alice`.
    async fn by_logins(name: &'static str) -> Result<Self, Box<dyn std::error::Error>> {
        let world = World::new();
        let endpoints = [
            ("revocation_endpoint", "/revoke"),
            ("introspection_endpoint", "/introspect"),
            ("device_authorization_endpoint", "/device"),
        ];
        world.change(|state| state.endpoints.extend(endpoints));
        let left = Self {
            server: world.server(""),
            resource: world.resource(),
            world,
            clock: ManualClock::new(),
            folder: Folder::new(name),
            user: Shelf::default(),
        };
        let client = left.start();
        opened(&client, &left.resource, "/mcp").await?;
        let begun = client.begin_authorization(Default::default()).await?;
        let callback = left.world.visit(&begun.url).unwrap();
        let login = client.complete_authorization(begun.pending, callback.expose_secret());
        login.await?.keep_for("alice").await?;
        client.close().await?;
        Ok(left)
    }

    /// A resource that names another server from now on.
    fn move_away(&self) -> Server {
        self.world.change(|state| state.issuers.clear());
        self.world.server("/new")
    }
}

impl Left {
    fn start(&self) -> OAuth2Client {
        self.builder().clock(self.clock.clock()).build().unwrap()
    }

    fn builder(&self) -> OAuth2ClientBuilder {
        let user = self.user.clone();
        attended(&self.resource, &self.world)
            .token_store(FileTokenStore::new(self.folder.file("token.json")))
            .user_store(move |_: &oauth_twin::UserKey| user.clone())
    }

    /// What was revoked, and by what client.
    fn revoked(&self) -> Vec<(String, String)> {
        let requests = self.server.requests("/revoke").into_iter();
        let of = |request: &Request, name| request.parameter(name).unwrap_or_default();
        requests
            .map(|request| (of(&request, "token"), of(&request, "client_id")))
            .collect()
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[maybe_async]
#[test]
async fn a_user_who_is_forgotten_is_revoked_at_the_server_of_the_token() -> TestResult {
    for has_moved in [false, true] {
        let left = Left::by_logins("forget-user").await?;
        let client = left.start();
        let moved = has_moved.then(|| left.move_away());
        if has_moved {
            // The client itself is at the new server by now.
            opened(&client, &left.resource, "/mcp").await?;
        }
        assert_eq!(left.user.held(), "1:t2");
        client.forget_user("alice").await?;
        assert_eq!(left.revoked(), [pair("r2", "c1")]);
        assert_eq!(left.user.held(), "2:-", "{has_moved}");
        if let Some(new) = moved {
            assert_eq!(new.count("/new/revoke"), 0);
        }
        client.forget_user("alice").await?;
        assert_eq!(left.revoked().len(), 1, "once");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_of_a_dead_registration_can_be_forgotten() -> TestResult {
    let left = Left::by_logins("forget-dead").await?;
    left.world.drop_client("c1");
    left.start().forget_user("alice").await?;
    assert_eq!(
        (left.server.count("/revoke"), &*left.user.held()),
        (1, "2:-")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_own_token_can_be_revoked_and_introspected_at_once() -> TestResult {
    let left = Left::by_logins("revoke-at-once").await?;
    let active = left.start().introspect_token().await?;
    assert!(active.is_active());
    let introspected = left.server.requests("/introspect").pop().unwrap();
    assert_eq!(introspected.parameter("token").as_deref(), Some("t1"));
    let client = left.start();
    client.revoke_token().await?;
    assert_eq!(left.revoked(), [pair("r1", "c1")]);
    let error = client.revoke_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token, "{error}");
    let error = left.start().revoke_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token, "{error}");
    assert_eq!(left.server.count("/register"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn other_tokens_are_revoked_and_introspected_where_the_client_is_known() -> TestResult {
    let left = Left::by_logins("other-tokens").await?;
    left.start().revoke("other", None).await?;
    assert_eq!(left.revoked(), [pair("other", "c1")]);
    let active = left.start().introspect("other", None).await?;
    assert!(active.is_active());
    assert_eq!(left.server.count("/register"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_expired_token_is_renewed_by_each_way_to_use_it() -> TestResult {
    let left = Left::by_logins("renewed-at-once").await?;
    for n in 3..7 {
        left.clock.advance(seconds(1000));
        let client = left.start();
        match n {
            3 => {
                let token = client.ensure_active_token().await?;
                assert_eq!(access_token(&token), "t3");
            }
            4 => {
                let token = client.refresh_token().await?;
                assert_eq!(access_token(&token), "t4");
            }
            5 => {
                let header = client.authorization_header().await?;
                assert_eq!(header, "Bearer t5");
            }
            _ => {
                let own = crate::mode::own_client();
                let mut request = own.get(left.resource.url("/mcp")).build()?;
                client.authorize(&mut request).await?;
                assert_eq!(request.headers()["authorization"], "Bearer t6");
            }
        }
        client.close().await?;
    }
    let found = (left.server.count("/register"), left.world.visits().len());
    assert_eq!(found, (1, 2));
    Ok(())
}

/// The callback comes to another replica.
#[maybe_async]
#[test]
async fn a_login_is_completed_by_another_process() -> TestResult {
    let left = Left::by_logins("other-replica").await?;
    let begun = left.start().begin_authorization(Default::default()).await?;
    let callback = left.world.visit(&begun.url).unwrap();
    let pending = serde_json::from_str(&serde_json::to_string(&begun.pending)?)?;
    // Its store has the registration, and no token.
    std::fs::remove_file(left.folder.file("token.json"))?;
    let before = left.server.count("/token");
    let login = left
        .start()
        .complete_authorization(pending, callback.expose_secret())
        .await?;
    assert_eq!(access_token(&login.token), "t3");
    let sent = left.server.requests("/token").split_off(before);
    assert_eq!(sent[0].parameter("client_id").as_deref(), Some("c1"));
    assert_eq!(left.server.count("/register"), 1);
    Ok(())
}

/// Anybody may send one, and it is no reason to ask a server for anything.
#[maybe_async]
#[test]
async fn a_forged_callback_finds_no_server() -> TestResult {
    let left = Left::by_logins("forged").await?;
    let begun = left.start().begin_authorization(Default::default()).await?;
    std::fs::remove_file(left.folder.file("token.json"))?;
    let kept = serde_json::to_string(&begun.pending)?;
    let requests = || {
        let documents = [
            (&left.resource, "/.well-known/oauth-protected-resource/mcp"),
            (&left.server, "/.well-known/oauth-authorization-server"),
            (&left.server, "/token"),
        ];
        documents.map(|(server, path)| server.count(path))
    };
    let before = requests();
    for (forged, word) in [
        ("?code=c&state=forged", "does not match this login"),
        ("?code=c", "no `state`"),
        ("?error=access_denied", "no `state`"),
    ] {
        let pending = serde_json::from_str(&kept)?;
        let error = left.start().complete_authorization(pending, forged).await;
        let error = error.map(drop).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        let pending = serde_json::from_str(&kept)?;
        let error = left.start().complete_authentication(pending, forged).await;
        let error = error.map(drop).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(requests(), before);
    // That of the login does.
    let callback = left.world.visit(&begun.url).unwrap();
    let client = left.start();
    let login = client.complete_authorization(begun.pending, callback.expose_secret());
    login.await?;
    assert!(requests()[0] > before[0]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_on_another_device_may_come_first() -> TestResult {
    let left = Left::by_logins("device-first").await?;
    let begun = left.builder().build()?;
    let device = begun.device_authorization(Default::default()).await?;
    let client = left.builder().build()?;
    let login = client.complete_device_authorization(device).await?;
    assert_eq!(access_token(&login.token), "t3");
    Ok(())
}

/// The program has set a token of which it is not known where it is from.
#[maybe_async]
#[test]
async fn a_token_that_is_set_is_no_obstacle_to_a_login() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource).token(Token::new("own")).build()?;
    let known = client.fetch_server().await?;
    assert_eq!(known.issuer(), Some(&*server.url("")));
    let begun = client.begin_authorization(Default::default()).await?;
    let callback = world.visit(&begun.url).unwrap();
    assert_eq!(client.token().as_ref().map(access_token), Some("own"));
    let login = client
        .complete_authorization(begun.pending, callback.expose_secret())
        .await?;
    login.keep().await?;
    opened(&client, &resource, "/mcp").await?;
    Ok(())
}

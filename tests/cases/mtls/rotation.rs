//! Certificates in files that change.

use std::{fs, path::PathBuf};

use support::folder::Folder;

use super::{test, *};

/// Files of a certificate.
struct Files {
    chain: PathBuf,
    key: PathBuf,
    _folder: Folder,
}

impl Files {
    fn of(identity: &Identity) -> Self {
        let folder = Folder::new(&identity.thumbprint());
        let files = Self {
            chain: folder.file("chain.pem"),
            key: folder.file("key.pem"),
            _folder: folder,
        };
        files.replace(identity);
        files
    }

    fn replace(&self, identity: &Identity) {
        fs::write(&self.chain, identity.pem()).expect("a file");
        fs::write(&self.key, identity.pem()).expect("a file");
    }

    fn certificate(&self) -> ClientCertificate {
        ClientCertificate::from_files(&self.chain, &self.key).expect("a certificate")
    }
}

/// The next token request already presents the new certificate, and so do API calls from then on,
/// on new connections.
#[maybe_async]
#[test]
async fn a_token_request_presents_the_new_certificate() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let files = Files::of(&old);
    let client = provider
        .builder(&old)
        .client_certificate(files.certificate())
        .token_endpoint_auth_method(TlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    accepted(&client, &provider.api(), "t1").await?;
    files.replace(&new);
    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.certificate_thumbprint(), Some(&*new.thumbprint()));
    accepted(&client, &provider.api(), "t2").await?;
    let both = [old.thumbprint(), new.thumbprint()];
    assert_eq!(provider.thumbprints("/token"), both);
    assert_eq!(provider.thumbprints("/api"), both);
    Ok(())
}

/// A call of another endpoint notices the change as well; the token then counts as expired.
#[maybe_async]
#[test]
async fn after_a_change_bound_tokens_count_as_expired() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let files = Files::of(&old);
    let client = provider
        .builder(&old)
        .client_certificate(files.certificate())
        .grant(ClientCredentials::new())
        .build()?;
    accepted(&client, &provider.api(), "t1").await?;
    let child = client.for_token(client.token().expect("a token").with_refresh_token("child"));
    files.replace(&new);
    client.introspect("t1", None).await?;
    accepted(&client, &provider.api(), "t2").await?;
    accepted(&child, &provider.api(), "t3").await?;
    assert_eq!(
        provider.thumbprints("/api"),
        [old.thumbprint(), new.thumbprint(), new.thumbprint()]
    );
    Ok(())
}

/// Requests to an API look at the files themselves, at most once a second.
#[maybe_async]
#[test]
async fn a_request_presents_the_new_certificate() -> TestResult {
    for transport_only in [false, true] {
        let provider = Provider::start();
        let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
        let files = Files::of(&old);
        let mut certificate = files.certificate();
        if transport_only {
            certificate = certificate.transport_only();
        }
        let url = provider.mtls.https("/other");
        let client = provider
            .builder(&old)
            .client_certificate(certificate)
            .token(Token::new("t"))
            .build()?;
        client.get(&url).send().await?;
        files.replace(&new);
        sleep(Duration::from_millis(1100)).await;
        client.get(&url).send().await?;
        let both = [old.thumbprint(), new.thumbprint()];
        assert_eq!(provider.thumbprints("/other"), both);
    }
    Ok(())
}

/// So do requests without a token, whether it is withheld or the resource asks for none.
#[maybe_async]
#[test]
async fn a_request_without_a_token_presents_the_new_certificate() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let files = [Files::of(&old), Files::of(&old)];
    let [withheld, open] = ["/withheld", "/open"].map(|path| provider.mtls.https(path));
    let withholding = provider
        .builder(&old)
        .client_certificate(files[0].certificate())
        .build()?;
    let for_resource = provider
        .trusting(OAuth2Client::for_resource(&open).client_id("id"))
        .client_certificate(files[1].certificate().transport_only())
        .build()?;
    for round in 0..2 {
        if round == 1 {
            for files in &files {
                files.replace(&new);
            }
            sleep(Duration::from_millis(1100)).await;
        }
        withholding.get(&withheld).withhold_token().send().await?;
        let response = for_resource.get(&open).send().await?;
        assert!(response.status().is_success(), "{}", response.status());
    }
    let both = [old.thumbprint(), new.thumbprint()];
    assert_eq!(provider.thumbprints("/withheld"), both);
    assert_eq!(provider.thumbprints("/open"), both);
    Ok(())
}

/// Clones of the certificate share what was read, and each client notices it.
#[maybe_async]
#[test]
async fn two_clients_share_a_certificate() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let files = Files::of(&old);
    let certificate = files.certificate();
    let client = || {
        provider
            .builder(&old)
            .client_certificate(certificate.clone())
    };
    let (one, other) = (client().build()?, client().build()?);
    one.fetch_token(ClientCredentials::new()).await?;
    other.fetch_token(ClientCredentials::new()).await?;
    files.replace(&new);
    one.fetch_token(ClientCredentials::new()).await?;
    let token = other.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.certificate_thumbprint(), Some(&*new.thumbprint()));
    assert_eq!(certificate.thumbprint(), new.thumbprint());
    let (old, new) = (old.thumbprint(), new.thumbprint());
    assert_eq!(
        provider.thumbprints("/token"),
        [&old, &old, &new, &new].map(Clone::clone)
    );
    Ok(())
}

/// Files that do not belong together, or are no certificate, or are gone, leave the old one in use.
#[maybe_async]
#[test]
async fn unusable_files_leave_the_old_certificate_in_use() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let files = Files::of(&old);
    let client = provider
        .builder(&old)
        .client_certificate(files.certificate())
        .grant(ClientCredentials::new())
        .build()?;
    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.certificate_thumbprint(), Some(&*old.thumbprint()));
    let half: [&dyn Fn() -> std::io::Result<()>; 4] = [
        &|| fs::write(&files.chain, new.pem()),
        &|| fs::write(&files.chain, "-----BEGIN CERTIFICATE-----\n"),
        &|| fs::write(&files.chain, ""),
        &|| fs::remove_file(&files.chain),
    ];
    for change in half {
        change()?;
        let renewed = client.refresh_token().await?;
        assert_eq!(renewed.certificate_thumbprint(), Some(&*old.thumbprint()));
    }
    files.replace(&new);
    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.certificate_thumbprint(), Some(&*new.thumbprint()));
    Ok(())
}

/// A certificate in memory stays what it is.
#[maybe_async]
#[test]
async fn without_a_change_the_connections_are_kept() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let files = Files::of(&identity);
    let client = provider
        .builder(&identity)
        .client_certificate(files.certificate())
        .grant(ClientCredentials::new())
        .build()?;
    for _ in 0..5 {
        client.refresh_token().await?;
        call(&client, &provider.api()).await?;
    }
    // Written again with the same content: the connections are new, the token is as good as before.
    let connections = provider.mtls.connections();
    assert!(connections <= 2, "{connections} connections");
    files.replace(&identity);
    sleep(Duration::from_millis(1100)).await;
    accepted(&client, &provider.api(), "t5").await?;
    Ok(())
}

#[cfg(feature = "tracing")]
mod events {
    use super::{
        super::super::{events::warned, support::log},
        test, *,
    };

    #[maybe_async]
    #[test]
    async fn a_certificate_that_cannot_be_used_is_told() -> TestResult {
        const TEST: &str = "certificate";
        let _marked = log::marked(TEST);
        let provider = Provider::start();
        let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
        let files = Files::of(&old);
        let client = provider
            .builder(&old)
            .client_certificate(files.certificate())
            .grant(ClientCredentials::new())
            .build()?;
        fs::write(&files.chain, new.pem())?;
        client.refresh_token().await?;
        warned(TEST, "certificate_unusable", "error", "key").await;
        Ok(())
    }
}

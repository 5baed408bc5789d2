//! Certificates without `configure_http`: on the TLS configuration of this crate, or on that of reqwest
//! with another TLS feature. The roots are those of the environment, which a program reads once: it
//! runs itself.

use std::process::Command;

use support::folder::Folder;

use super::{test, *};

/// Tells this program, when it runs itself, the folder with the files and the URL of the servers.
const TARGET: &str = "OAUTH_TWIN_TEST_MTLS";

/// The inner program, which first connects without a certificate, so that there would be a session
/// to resume.
#[maybe_async]
#[test]
async fn inner() -> TestResult {
    let Ok(target) = std::env::var(TARGET) else {
        return Ok(());
    };
    let (folder, url) = target.split_once('|').expect("a folder and a URL");
    let builder = || {
        OAuth2Client::builder("id")
            .server(
                AuthorizationServer::default()
                    .with_token_endpoint(format!("{url}/token"))
                    .with_tls_client_certificate_bound_access_tokens(true),
            )
            .grant(ClientCredentials::new())
            .timeout(seconds(5))
    };
    let refused = builder().build()?.ensure_active_token().await;
    assert_eq!(
        refused.expect_err("no certificate").kind(),
        ErrorKind::Transport
    );
    let path = |name| format!("{folder}/{name}.pem");
    for name in ["one", "other"] {
        let certificate = ClientCertificate::from_files(path(name), path(name))?;
        let client = builder().client_certificate(certificate.clone());
        let client = client.token_endpoint_auth_method(TlsClientAuth).build()?;
        let api = format!("{url}/api");
        let first = call(&client, &api).await?;
        accepted(&client, &api, &first).await?;
        // By another file: a new session, too.
        std::fs::copy(path("third"), path(name))?;
        let token = client.refresh_token().await?;
        accepted(&client, &api, access_token(&token)).await?;
        assert_eq!(
            token.certificate_thumbprint(),
            Some(&*certificate.thumbprint())
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn certificates_need_no_configuration_of_reqwest() -> TestResult {
    let provider = Provider::start();
    let folder = Folder::new(&format!("own-tls-{CLIENT}"));
    let identities = ["one", "other", "third"].map(|name| {
        let identity = provider.clients.issue("client.example");
        std::fs::write(folder.file(&format!("{name}.pem")), identity.pem()).expect("a file");
        identity
    });
    let root = folder.file("root.pem");
    std::fs::write(&root, provider.authority.pem())?;
    let path = std::thread::current().name().map(str::to_owned);
    let path = path.expect("a test has a name");
    let (module, _) = path.rsplit_once("::").expect("a path");
    let target = format!("{}|{}", folder.file("").display(), provider.mtls.https(""));
    let output = Command::new(std::env::current_exe()?)
        .args([&format!("{module}::inner"), "--exact"])
        .env(TARGET, target)
        .env("SSL_CERT_FILE", &root)
        .env_remove("SSL_CERT_DIR")
        .output()?;
    assert!(output.status.success(), "{output:?}");
    let [one, other, third] = identities.map(|identity| identity.thumbprint());
    assert_eq!(
        provider.thumbprints("/token"),
        [&one, &third, &other, &third].map(Clone::clone)
    );
    assert_eq!(
        provider.thumbprints("/api"),
        [&one, &one, &third, &other, &other, &third].map(Clone::clone)
    );
    Ok(())
}

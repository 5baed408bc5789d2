//! First tokens by Google's credential files, beside google-cloud-auth: the same files, the same
//! server, turn by turn in one run. Requests, time and allocations from a file that was read to a
//! token. At the end, a renewal by the assertion of a platform beside one by a secret.

#[allow(dead_code, reason = "others need the rest")]
#[path = "../../tests/support/google.rs"]
mod google;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../../tests/support/server.rs"]
mod server;

use std::{error::Error, time::Instant};

use allocation_counter::measure;
use google_cloud_auth::credentials::{external_account, service_account};
use oauth_twin::{
    AsyncAssertionClient, AsyncOAuth2Client,
    google::ApplicationDefault,
    oauth2::{ClientCredentials, FederatedAssertion},
};
use serde_json::{Value, json};
use server::Server;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 101;
const SCOPE: &str = google::CLOUD_PLATFORM;
const SERVICE_ACCOUNT: &str = include_str!("../../tests/vectors/service_account.json");

async fn ours(file: &Value) -> BenchResult<String> {
    let credentials = ApplicationDefault::from_json(file.to_string())?;
    let client = AsyncAssertionClient::google(credentials)
        .scope(SCOPE)
        .build()?;
    let token = client.ensure_active_token().await?;
    Ok(token.access_token().expose_secret().to_owned())
}

/// Milliseconds of a renewal by a client that lives: the peer renews by the clock alone.
async fn renewal(file: &Value) -> BenchResult<f64> {
    let credentials = ApplicationDefault::from_json(file.to_string())?;
    let client = AsyncAssertionClient::google(credentials)
        .scope(SCOPE)
        .build()?;
    let mut times = Vec::new();
    for _ in 0..=ROUNDS {
        let began = Instant::now();
        client.refresh_token().await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Milliseconds of a renewal by a secret, and by the assertion of a platform in a file, turn by turn.
async fn by_secret_and_by_file(file: &std::path::Path) -> BenchResult<[f64; 2]> {
    let server = Server::start(|_| {
        let token = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
        server::Reply::json(200, token)
    });
    let builder = || {
        AsyncOAuth2Client::builder("id")
            .token_endpoint(server.url("/token"))
            .grant(ClientCredentials::new())
    };
    let clients = [
        builder().client_secret("secret").build()?,
        builder()
            .token_endpoint_auth_method(FederatedAssertion::file(file))
            .build()?,
    ];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..=10 * ROUNDS {
        for (client, times) in clients.iter().zip(&mut times) {
            let began = Instant::now();
            client.refresh_token().await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}

async fn theirs(file: &Value) -> BenchResult<String> {
    let file = file.clone();
    let token = if file["type"] == "service_account" {
        let scopes = service_account::AccessSpecifier::from_scopes([SCOPE]);
        let builder = service_account::Builder::new(file).with_access_specifier(scopes);
        builder
            .build_access_token_credentials()?
            .access_token()
            .await?
    } else {
        let builder = external_account::Builder::new(file).with_scopes([SCOPE]);
        builder
            .build_access_token_credentials()?
            .access_token()
            .await?
    };
    Ok(token.token)
}

/// Milliseconds, allocations, bytes and requests of a token.
struct Figures([f64; 4]);

fn median(mut all: Vec<[f64; 4]>) -> Figures {
    all.sort_by(|a, b| a[0].total_cmp(&b[0]));
    Figures(all[all.len() / 2])
}

fn main() -> BenchResult {
    let provider = rustls::crypto::ring::default_provider();
    provider
        .install_default()
        .map_err(|_| "there is a provider already")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let server = google::google("subject");
    let folder = std::env::temp_dir().join(format!("google-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let subject = folder.join("subject");
    std::fs::write(&subject, "subject")?;
    let mut account: Value = serde_json::from_str(SERVICE_ACCOUNT)?;
    account["token_uri"] = server.url("/token").into();
    let external = google::external_account(&server, json!({"file": subject}));
    let mut impersonated = external.clone();
    impersonated["service_account_impersonation_url"] = google::impersonation(&server).into();
    for (name, file) in [
        ("service account", account),
        ("external account by a file", external),
        ("the same with impersonation", impersonated),
    ] {
        let mut figures = [Vec::new(), Vec::new()];
        // The first round warms up.
        for round in 0..=ROUNDS {
            for (n, figures) in figures.iter_mut().enumerate() {
                let sent = server.requests_in_all();
                let (mut token, began) = (Ok(String::new()), Instant::now());
                let counted = measure(|| {
                    token = runtime.block_on(async {
                        match n {
                            0 => ours(&file).await,
                            _ => theirs(&file).await,
                        }
                    });
                });
                let time = began.elapsed().as_secs_f64() * 1e3;
                assert!(!token?.is_empty());
                let sent = (server.requests_in_all() - sent) as f64;
                if round > 0 {
                    let (count, bytes) = (counted.count_total as f64, counted.bytes_total as f64);
                    figures.push([time, count, bytes, sent]);
                }
            }
        }
        let [Figures(ours), Figures(theirs)] = figures.map(median);
        for (who, [time, count, bytes, sent]) in
            [("oauth-twin", ours), ("google-cloud-auth", theirs)]
        {
            println!(
                "{name}, {who}: {sent:.0} requests, {time:.2} ms, {count:.0} allocations, {:.0} KB",
                bytes / 1e3
            );
        }
        println!("{name}: ratio of times {:.2}", ours[0] / theirs[0]);
        let renewal = runtime.block_on(renewal(&file))?;
        println!("{name}: a renewal by oauth-twin takes {renewal:.2} ms");
    }
    let renewed = runtime.block_on(by_secret_and_by_file(&subject))?;
    println!(
        "a renewal by client_secret {:.3} ms, by an assertion in a file {:.3} ms; ratio {:.2}",
        renewed[0],
        renewed[1],
        renewed[1] / renewed[0]
    );
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

//! Eight processes on one file.

use super::*;

#[test]
fn eight_processes_renew_a_token_in_a_file_once_for_each_expiry() {
    const EXPIRIES: u64 = 50;
    let folder = Folder::new("eight-processes");
    let provider = Provider::start(600, Duration::ZERO);
    let file = folder.file("token.json");
    std::fs::write(&file, serde_json::to_vec(&first_token(0)).unwrap()).unwrap();
    let settings = Settings {
        token_endpoint: provider.token_endpoint(),
        client: "id".to_owned(),
        secret: None,
        store: file.to_str().unwrap().to_owned(),
        users: 1,
        timeout: Duration::from_secs(30),
    };
    let modes = [Mode::Blocking, Mode::Async].into_iter().cycle().take(8);
    let mut workers: Vec<_> = modes
        .map(|mode| Worker::start(mode, &settings, 0))
        .collect();
    let began = std::time::Instant::now();
    for expiry in 1..=EXPIRIES {
        for worker in &mut workers {
            worker.begin(expiry * EXPIRY);
        }
        for worker in &mut workers {
            assert_eq!(worker.tokens(), [format!("0-{expiry}")]);
        }
        assert_eq!(provider.requests() as u64, expiry);
    }
    let took = began.elapsed();
    provider.assert_no_reuse();
    for worker in workers {
        worker.terminate();
    }
    tell(&format!(
        "8 processes on a file, {EXPIRIES} expiries: {} token requests, 0 used again, {took:.1?}",
        provider.requests()
    ));
}

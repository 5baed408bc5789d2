//! Children of a client that is registered anew.

use std::sync::atomic::AtomicBool;

use super::{super::test, *};

/// They keep the registration that their token belongs to, and `close` of the client finds them.
#[maybe_async]
#[test]
async fn close_passes_on_what_the_children_of_an_earlier_registration_owe() -> TestResult {
    let (registrar, clock) = (Registrar::default(), ManualClock::new());
    let server = registrar.start();
    let updates = Updates::default();
    let (note, is_down) = (recording(&updates), Arc::new(AtomicBool::new(true)));
    let fails = is_down.clone();
    let client = unregistered(&server)
        .clock(clock.clock())
        .register(metadata())
        .await?
        .grant(ClientCredentials::new())
        .update_token(move |update: TokenUpdate| {
            match update.previous_refresh_token.is_some() && fails.load(Ordering::SeqCst) {
                true => Err("the database cannot be written".into()),
                false => note(update),
            }
        })
        .build()?;
    client.ensure_active_token().await?;
    let child = client.for_token(first_token(&clock, 600));
    let error = child.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    for n in 1..=2 {
        registrar.drop_client(&format!("c{n}"));
        clock.advance(seconds(3601));
        client.ensure_active_token().await?;
        assert_eq!(clients(&server).last(), Some(&format!("c{}", n + 1)));
    }
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    is_down.store(false, Ordering::SeqCst);
    client.close().await?;
    let updates = updates.lock().unwrap();
    let of_rows = updates
        .iter()
        .filter_map(|update| update.previous_refresh_token.as_ref());
    let rows: Vec<_> = of_rows.map(|row| row.expose_secret()).collect();
    assert_eq!(rows, ["r0"]);
    Ok(())
}

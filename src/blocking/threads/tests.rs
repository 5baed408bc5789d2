use super::*;

/// Set in a process in which no thread can begin, as none gets its stack.
const WITHOUT_THREADS: &str = "OAUTH_TWIN_TEST_WITHOUT_THREADS";

#[test]
fn what_no_thread_does_is_done_all_the_same() {
    if std::env::var_os(WITHOUT_THREADS).is_none() {
        let this = std::env::current_exe().expect("a path");
        let child = std::process::Command::new(this)
            .args([
                "what_no_thread_does_is_done_all_the_same",
                "--test-threads=1",
            ])
            .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
            .env(WITHOUT_THREADS, "")
            .output();
        let child = child.expect("a process");
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && output.contains("1 passed"),
            "{output}"
        );
        return;
    }
    assert!(std::thread::Builder::new().spawn(|| {}).is_err());
    let done = Mutex::new(Vec::new());
    let all = side_by_side(vec![1, 2, 3], |item| {
        done.lock().expect("a lock").push(item);
        match item {
            2 => Err(Error::closed()),
            _ => Ok(()),
        }
    });
    assert!(all.is_err());
    assert_eq!(done.into_inner().expect("a lock"), [3, 2, 1]);
}

//! What programs print, and how they are run.

use serde_json::json;

use super::*;

fn source(executable: Value) -> Result<ExecutableSource> {
    ExecutableSource::from_members(executable.as_object().expect("an object"))
}

fn read(output: Value, output_file: Option<&str>) -> Result<Secret> {
    let source = source(json!({"command": "/bin/x", "output_file": output_file}));
    let now = Duration::from_secs(1_700_000_000);
    source
        .expect("a source")
        .read(&output.to_string().into(), now)
}

#[test]
fn an_expiration_time_is_needed_beside_an_output_file_alone() {
    let output = json!({"version": 1, "success": true,
        "token_type": "urn:ietf:params:oauth:token-type:id_token", "id_token": "eyJ"});
    assert_eq!(read(output.clone(), None).expect("a token"), "eyJ".into());
    let error = read(output, Some("/tmp/x")).expect_err("no expiration_time");
    assert!(
        error.to_string().contains("lacks expiration_time"),
        "{error}"
    );
}

#[test]
fn a_failure_is_told_in_one_line() {
    let output = json!({"version": 1, "success": false, "code": "401",
        "message": format!("Caller not\nauthorized. {}", "x".repeat(1000))});
    let error = read(output, None).expect_err("a failure");
    // Its words may name a user, and so are no part of a message that is logged.
    assert_eq!(
        error.to_string(),
        "the program of the credential file failed"
    );
    let said = std::error::Error::source(&error)
        .expect("its words")
        .to_string();
    assert!(said.starts_with("401: Caller not authorized."), "{said}");
    assert!(!said.contains('\n') && said.len() < 300, "{said}");
}

#[test]
fn saml() {
    let output = json!({"version": 1, "success": true, "expiration_time": 1_700_000_001,
        "token_type": "urn:ietf:params:oauth:token-type:saml2", "saml_response": "<s/>"});
    assert_eq!(
        read(output, Some("/tmp/x")).expect("a token"),
        "<s/>".into()
    );
}

#[test]
fn what_is_no_token_is_refused() {
    let good = json!({"version": 1, "success": true,
        "token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": "hunter2"});
    for (member, value) in [
        ("version", json!(2)),
        ("version", json!("1")),
        ("success", json!("true")),
        ("success", Value::Null),
        (
            "token_type",
            json!("urn:ietf:params:oauth:token-type:access_token"),
        ),
        (
            "token_type",
            json!("urn:ietf:params:oauth:token-type:saml2"),
        ),
        ("id_token", json!("")),
        ("id_token", json!(7)),
        ("expiration_time", json!("soon")),
        ("expiration_time", json!(1_700_000_000)),
    ] {
        let mut output = good.clone();
        output[member] = value;
        let error = read(output, None).expect_err(member);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(read(json!([]), None).is_err());
}

#[test]
fn settings() {
    for (executable, word) in [
        (json!({}), "lacks command"),
        (json!({"command": " "}), "lacks command"),
        (json!({"command": "token --now"}), "absolute path"),
        (
            json!({"command": "/a", "timeout_millis": 4999}),
            "timeout_millis",
        ),
        (
            json!({"command": "/a", "timeout_millis": 120_001}),
            "timeout_millis",
        ),
        (
            json!({"command": "/a", "timeout_millis": {}}),
            "timeout_millis",
        ),
    ] {
        let error = source(executable).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
    let read = source(json!({"command": r#"/a/b --x="c d" 'e'"#, "timeout_millis": 5000}));
    let read = read.expect("a source");
    assert_eq!(read.command, ["/a/b", "--x=c d", "e"]);
    assert_eq!(read.timeout, Duration::from_secs(5));
}

#[test]
fn nothing_runs_without_permission() {
    let account = Account {
        audience: "a",
        subject_token_type: "t",
        impersonated_email: None,
    };
    let source = source(json!({"command": "/bin/x"})).expect("a source");
    for permission in [None, Some("0"), Some("true"), Some("")] {
        let variable = |name: &str| {
            assert_eq!(name, PERMISSION);
            permission.map(str::to_owned)
        };
        let mut journal = Journal::default();
        let token = source.subject_token(&account, Duration::ZERO, &variable, &mut journal);
        let Err(super::super::journal::Pause::Failed(error)) = token else {
            panic!("{permission:?} permits it");
        };
        assert!(error.to_string().contains(PERMISSION), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_program_is_run_without_a_shell() {
    let run = |command: &[&str], timeout| {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        let environment = vec![("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", "a b".to_owned())];
        Executable {
            command,
            environment,
            timeout: Duration::from_millis(timeout),
        }
        .run()
    };
    let echoed = run(&["/bin/echo", "$HOME; `x`"], 5000).expect("output");
    assert_eq!(echoed.expose_secret(), "$HOME; `x`\n");
    let audience = run(
        &[
            "/bin/sh",
            "-c",
            "printf %s \"$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE\"",
        ],
        5000,
    );
    assert_eq!(audience.expect("output").expose_secret(), "a b");
    for (command, timeout, word) in [
        (&["/nonexistent"][..], 5000, "could not be run"),
        (&["/bin/sleep", "60"], 100, "has not ended"),
        (&["/bin/false"], 5000, "failed ("),
        (
            &["/bin/sh", "-c", "head -c 2000000 /dev/zero"],
            5000,
            "more than 1 MiB",
        ),
        (&["/bin/sh", "-c", "printf '\\377'"], 5000, "not UTF-8"),
    ] {
        let error = run(command, timeout).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// What a program says with a failure is read; what it prints as a success is not.
#[cfg(unix)]
#[test]
fn a_failed_program_gives_no_token() {
    let run = |printed: &str, status: u8| {
        let script = format!("printf '%s' '{printed}'; exit {status}");
        let command = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
        let timeout = Duration::from_secs(5);
        Executable {
            command,
            environment: Vec::new(),
            timeout,
        }
        .run()
    };
    let failure = r#"{"version":1,"success":false,"code":"401","message":"x"}"#;
    assert_eq!(run(failure, 1).expect("why").expose_secret(), failure);
    for printed in [r#"{"version":1,"success":true}"#, "no JSON", ""] {
        let error = run(printed, 1).expect_err(printed).to_string();
        assert!(error.contains("failed ("), "{error}");
    }
}

/// One that leaves another behind, which keeps the output open, is bounded as well.
#[cfg(unix)]
#[test]
fn a_program_that_leaves_another_is_not_waited_for() {
    let command = ["/bin/sh", "-c", "echo x; sleep 20 &"]
        .map(str::to_owned)
        .to_vec();
    let timeout = Duration::from_millis(200);
    let error = Executable {
        command,
        environment: Vec::new(),
        timeout,
    }
    .run();
    assert!(
        error
            .expect_err("too late")
            .to_string()
            .contains("has not ended")
    );
}

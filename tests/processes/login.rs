//! Logins of processes: on a terminal, without one, and of many that start at once.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use oauth_twin::{
    AsyncOAuth2Client, Error, FileTokenStore, InteractiveLogin, OAuth2Client, StoredToken, Token,
    url::Url,
};
use serde_json::json;

use crate::{
    files::{Files, Mount},
    process::{MODES, Mode},
    server::{Reply, Request, Server, has_closed},
    terminal::Terminal,
    tokens,
};

/// Variables by which a session is told to be remote, or to have a display.
const SESSION: [&str; 9] = [
    "BROWSER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "SSH_CONNECTION",
    "SSH_CLIENT",
    "SSH_TTY",
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "TMUX",
];

/// A process of its own that logs its user in, in a session without anything.
fn command_line(mode: Mode, server: &Server, file: &Path) -> Command {
    let program = env::current_exe().unwrap();
    // What a shell starts in the background ignores Ctrl-C, and hands that down.
    let mut command = match cfg!(target_os = "linux") {
        true => Command::new("env"),
        false => Command::new(&program),
    };
    if cfg!(target_os = "linux") {
        command.arg("--default-signal=INT").arg(program);
    }
    command
        .args(["--ignored", "--exact", "login::command_line_of_its_own"])
        .arg("--nocapture")
        .env("MODE", format!("{mode:?}"))
        .env("SERVER", server.url(""))
        .env("TOKEN_FILE", file)
        .env("TERM", "xterm");
    for name in SESSION {
        command.env_remove(name);
    }
    command
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn command_line_of_its_own() {
    let token = log_in().map(|token| token.access_token().expose_secret().to_owned());
    // The harness writes without an end of the line.
    println!(
        "\nresult={}",
        token.unwrap_or_else(|error| error.to_string())
    );
    if env::var_os("READS").is_some() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        println!("read={}", line.trim_end());
    }
}

fn log_in() -> Result<Token, Error> {
    let variable = |name: &str| env::var(name).unwrap();
    let server = variable("SERVER");
    let url = |path: &str| format!("{server}{path}");
    let store = FileTokenStore::new(variable("TOKEN_FILE"));
    let mut login = InteractiveLogin::new().timeout(Duration::from_secs(60));
    if let Ok(scope) = env::var("SCOPE") {
        login = login.scope(scope);
    }
    if env::var_os("BROKEN_BROWSER").is_some() {
        login = login.open_with(|_| Err("it cannot be opened".into()));
    }
    if variable("MODE") == "Blocking" {
        let client = OAuth2Client::builder("id")
            .authorization_endpoint(url("/authorize"))
            .device_authorization_endpoint(env::var("DEVICE").unwrap_or_else(|_| url("/device")))
            .token_endpoint(url("/token"))
            .token_store(store)
            .build()?;
        return client.ensure_login(login);
    }
    let client = AsyncOAuth2Client::builder("id")
        .authorization_endpoint(url("/authorize"))
        .device_authorization_endpoint(env::var("DEVICE").unwrap_or_else(|_| url("/device")))
        .token_endpoint(url("/token"))
        .token_store(store)
        .build()?;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(client.ensure_login(login))
}

/// A provider, with the device flow for some clients.
fn provider(has_devices: bool) -> Server {
    Server::start(move |request: &Request| match &*request.path {
        "/token" => tokens(1),
        "/device" if has_devices => Reply::json(
            200,
            json!({
                "device_code": "d", "user_code": "ABCDEFGH", "expires_in": 600, "interval": 1,
                "verification_uri": "https://id.example/device",
            }),
        ),
        _ => Reply::error(400, "unauthorized_client"),
    })
}

/// The address of the login, which stands alone on its line.
fn address(terminal: &Terminal, server: &Server) -> Url {
    nth_address(terminal, server, 0)
}

/// The address after so many that are no longer valid.
fn nth_address(terminal: &Terminal, server: &Server, outdated: usize) -> Url {
    let start = server.url("/authorize?");
    terminal.until(|screen| {
        let lines = screen.split('\n').map(|line| line.trim_end_matches('\r'));
        let line = lines
            .filter(|line| line.starts_with(&start))
            .nth(outdated)?;
        screen
            .contains(&format!("{line}\r\n"))
            .then(|| Url::parse(line).unwrap())
    })
}

/// Address to which the server redirects the browser.
fn callback(url: &Url, code: &str) -> Url {
    let asked = |name: &str| {
        let found = url.query_pairs().find(|(given, _)| given == name);
        found.unwrap().1.into_owned()
    };
    let mut callback = Url::parse(&asked("redirect_uri")).unwrap();
    callback.set_query(Some(&format!("code={code}&state={}", asked("state"))));
    callback
}

/// Loads a page as a browser does.
fn visit(page: &Url) {
    let (host, port) = (page.host_str().unwrap(), page.port().unwrap());
    let mut stream = TcpStream::connect((host, port)).unwrap();
    let target = &page[oauth_twin::url::Position::BeforePath..];
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 303 "), "{reply}");
}

fn ended(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_login_without_a_terminal_says_what_to_run() {
    for mode in MODES {
        let (server, files) = (provider(true), Files::new("no-terminal"));
        let mut command = command_line(mode, &server, &files.token);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("there is no terminal"), "{text}");
        assert!(text.contains("; run `processes-"), "{text}");
        assert_eq!(server.requests_in_all(), 0);
    }
}

/// In a session without a browser: what is wrong is refused and named, what is right logs in, and
/// what comes after it is the program's.
#[test]
fn a_login_takes_a_pasted_address_on_a_terminal() {
    for mode in MODES {
        let (server, files) = (provider(false), Files::new("pasted"));
        let mut terminal = Terminal::new();
        let mut command = command_line(mode, &server, &files.token);
        terminal.attach(command.env("READS", "1"));
        let child = command.spawn().unwrap();
        let url = address(&terminal, &server);
        terminal.shows("Waiting for the login (0:5", 1);
        let right = callback(&url, "c0de");
        terminal.type_line(&right.as_str().replace("c0de", "c0 de"));
        terminal.shows("That is not accepted: there is white space inside", 1);
        terminal.shows("\r\nWaiting for the login", 2);
        terminal.type_line(&right.as_str().replace("state=", "state=x"));
        terminal.shows("That is not accepted: it does not belong to this login", 1);
        // After each line that is refused, the wait is shown again, on a line of its own.
        terminal.shows("\r\nWaiting for the login", 3);
        terminal.type_line(right.as_str());
        terminal.type_line("for the program");
        assert_eq!(terminal.line("result="), "t1");
        assert_eq!(terminal.line("read="), "for the program");
        ended(child);
        let sent = &server.requests("/token")[0];
        assert_eq!(sent.parameter("code").as_deref(), Some("c0de"));
        let screen = terminal.screen();
        assert!(screen.contains("\r\nLogged in.\r\n"), "{screen:?}");
        assert!(!screen.contains("\u{1b}]8"), "{screen:?}");
    }
}

/// The refusals of servers that have the device flow for other clients. It is tried where there is no
/// browser, and where the browser cannot be opened.
#[test]
fn a_client_that_may_not_use_the_device_flow_pastes() {
    for (mode, refusal, has_browser) in [
        (Mode::Blocking, "invalid_request", false),
        (Mode::Async, "unsupported_grant_type", false),
        (Mode::Blocking, "unauthorized_client", true),
        (Mode::Async, "invalid_request", true),
    ] {
        let files = Files::new(&format!("{mode:?}-{refusal}"));
        let server = Server::start(move |request: &Request| match &*request.path {
            "/token" => tokens(1),
            _ => Reply::error(400, refusal),
        });
        let mut terminal = Terminal::new();
        let mut command = command_line(mode, &server, &files.token);
        command.envs(has_browser.then_some(("BROKEN_BROWSER", "1")));
        terminal.attach(&mut command);
        let child = command.spawn().unwrap();
        let url = nth_address(&terminal, &server, usize::from(has_browser));
        terminal.type_line(callback(&url, "c0de").as_str());
        assert_eq!(terminal.line("result="), "t1");
        ended(child);
        assert_eq!(server.count("/device"), 1);
    }
}

#[test]
fn a_login_on_a_remote_machine_shows_a_code() {
    for mode in MODES {
        let (server, files) = (provider(true), Files::new("remote"));
        let terminal = Terminal::new();
        let mut command = command_line(mode, &server, &files.token);
        terminal.attach(
            command
                .env("DISPLAY", ":0")
                .env("SSH_CONNECTION", "a 1 b 2"),
        );
        let child = command.spawn().unwrap();
        assert_eq!(terminal.line("result="), "t1");
        ended(child);
        let screen = terminal.screen();
        assert!(
            screen.contains("\nhttps://id.example/device\r\n"),
            "{screen:?}"
        );
        assert!(
            screen.contains("\u{1b}[1mABCD EFGH\u{1b}[0m\r\n"),
            "{screen:?}"
        );
        assert!(screen.contains("\r\u{1b}[KLogged in.\r\n"), "{screen:?}");
        assert_eq!(server.count("/device"), 1);
    }
}

/// A browser that only notes what it is called with.
fn browser(files: &Files) -> (String, std::path::PathBuf) {
    let folder = files.token.parent().unwrap();
    let (script, note) = (folder.join("browser"), folder.join("opened"));
    let text = format!("#!/bin/sh\necho \"$# $1\" >> '{}'\n", note.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    (script.display().to_string(), note)
}

#[test]
fn a_login_of_many_processes_opens_one_browser_with_the_whole_address() {
    let (server, files) = (provider(false), Files::new("one-browser"));
    let (script, note) = browser(&files);
    let terminals: Vec<_> = (0..8).map(|_| Terminal::new()).collect();
    let modes = MODES.into_iter().cycle();
    let children: Vec<_> = terminals
        .iter()
        .zip(modes)
        .map(|(terminal, mode)| {
            let mut command = command_line(mode, &server, &files.token);
            terminal.attach(command.env("BROWSER", &script));
            command.spawn().unwrap()
        })
        .collect();
    let opened = || {
        let text = fs::read_to_string(&note).unwrap_or_default();
        text.ends_with('\n').then_some(text)
    };
    let text = terminals[0].until(|_| opened());
    let url = text.trim_end().strip_prefix("1 ").expect("one argument");
    let waits = |terminal: &&Terminal| terminal.screen().contains("in another process");
    let waiting = || terminals.iter().filter(waits).count();
    terminals[0].until(|_| (waiting() == 7).then_some(()));
    let url = Url::parse(url).unwrap();
    assert_eq!(url.query_pairs().count(), 6, "{url}");
    visit(&callback(&url, "c"));
    for terminal in &terminals {
        assert_eq!(terminal.line("result="), "t1");
    }
    children.into_iter().for_each(ended);
    assert_eq!(opened().unwrap().lines().count(), 1);
    assert_eq!(server.count("/token"), 1);
}

/// By its name it is a text browser, which reads from the terminal and writes to it.
fn text_browser(files: &Files) -> String {
    let script = files.token.parent().unwrap().join("w3m");
    let text =
        "#!/bin/sh\necho \"page=$1\"\nread -r one\nread -r two\necho \"browser: $one, $two\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

#[test]
fn a_text_browser_has_the_terminal_until_it_ends() {
    for mode in MODES {
        let (server, files) = (provider(false), Files::new("text-browser"));
        let mut terminal = Terminal::new();
        let mut command = command_line(mode, &server, &files.token);
        let script = text_browser(&files);
        terminal.attach(command.env("BROWSER", script).env("READS", "1"));
        let child = command.spawn().unwrap();
        let url = Url::parse(&terminal.line("page=")).unwrap();
        // More than one interval at which the wait would be shown.
        std::thread::sleep(Duration::from_millis(1500));
        terminal.type_line("typed before");
        visit(&callback(&url, "c"));
        // The token is kept by then, and nobody has to wait for the user.
        let store = FileTokenStore::new(&files.token);
        terminal.until(|_| store.read().ok().flatten()?.token);
        terminal.until(|_| store.try_lease().ok().flatten());
        terminal.type_line("typed after");
        assert_eq!(
            terminal.line("browser: "),
            "typed before, typed after",
            "{}",
            terminal.screen()
        );
        assert_eq!(terminal.line("result="), "t1");
        terminal.type_line("for the program");
        assert_eq!(terminal.line("read="), "for the program");
        ended(child);
        let screen = terminal.screen();
        let (meanwhile, after) = screen.split_once("browser: ").unwrap();
        assert!(!meanwhile.contains("Waiting for the login"), "{screen:?}");
        assert!(!meanwhile.contains("Logged in."), "{screen:?}");
        assert!(after.contains("Logged in."), "{screen:?}");
    }
}

/// As with Ctrl-C.
#[test]
fn a_login_that_is_interrupted_leaves_no_port_no_lease_and_no_token() {
    for mode in MODES {
        let (server, files) = (provider(false), Files::new("interrupted"));
        let store = || FileTokenStore::new(&files.token);
        let terminal = Terminal::new();
        let mut command = command_line(mode, &server, &files.token);
        terminal.attach(&mut command);
        let mut child = command.spawn().unwrap();
        let page = callback(&address(&terminal, &server), "c");
        let is_open = || TcpStream::connect(("127.0.0.1", page.port().unwrap())).is_ok();
        assert!(is_open());
        assert!(
            store().try_lease().unwrap().is_none(),
            "it is held meanwhile"
        );
        let kill = format!("kill -INT {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert!(!child.wait().unwrap().success());
        assert!(has_closed(("127.0.0.1", page.port().unwrap())));
        assert!(store().try_lease().unwrap().is_some());
        assert!(store().read().unwrap().is_none());
        assert_eq!(server.count("/token"), 0);
    }
}

/// Nobody is asked for a login whose token could not be kept.
#[test]
fn a_file_that_is_mounted_is_an_error_before_the_user_is_asked() {
    for mode in MODES {
        // Also where more scope is wanted than that of a token that can be used.
        for token in [None, Some(Token::new("t0").with_scope("read"))] {
            let (server, files) = (provider(true), Files::new("mounted-login"));
            fs::write(&files.token, "").unwrap();
            if token.is_some() {
                let store = FileTokenStore::new(&files.token);
                assert!(store.replace(&StoredToken::new(token, 1)).unwrap());
            }
            let Some(_mount) = Mount::single_file(&files.token) else {
                return;
            };
            let terminal = Terminal::new();
            let mut command = command_line(mode, &server, &files.token);
            terminal.attach(command.env("SCOPE", "read write"));
            let child = command.spawn().unwrap();
            let result = terminal.line("result=");
            assert_eq!(result, "token_store could not be leased");
            ended(child);
            assert!(!terminal.screen().contains("http"), "{}", terminal.screen());
            assert_eq!((server.count("/device"), server.count("/token")), (0, 0));
        }
    }
}

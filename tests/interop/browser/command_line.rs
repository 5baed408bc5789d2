//! The login of a command line on a terminal: through the browser, by a pasted address, on another
//! device, and of many processes that start at once.

mod tmux;

use std::{
    env, fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use oauth_twin::{AsyncOAuth2Client, FileTokenStore, InteractiveLogin, OAuth2Client, Result};
use serde_json::json;

use crate::{
    folder::Folder,
    terminal::Terminal,
    user::{beside, count, issuer, register, user},
};

const MODES: [&str; 2] = ["blocking", "async"];

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

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

/// A program with a client of its own at the provider, and a file for its token.
struct Program {
    client: String,
    folder: Folder,
}

impl Program {
    fn new(client: &str) -> Self {
        register(&json!({
            "client_id": client,
            "application_type": "native", // any port of the loopback
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token", DEVICE],
            "redirect_uris": ["http://127.0.0.1/callback"],
        }));
        Self {
            client: client.to_owned(),
            folder: Folder::new(client),
        }
    }

    /// It runs in a session without a browser and without the device flow, unless `set` has them.
    fn run(&self, mode: &str, terminal: &Terminal, set: &[(&str, &str)]) -> Child {
        let [program, arguments @ ..] = Self::command();
        let mut command = Command::new(program);
        command.args(arguments);
        for name in SESSION {
            command.env_remove(name);
        }
        command.env("TERM", "xterm").envs(self.variables(mode, set));
        terminal.attach(&mut command);
        command.spawn().unwrap()
    }

    fn command() -> [String; 5] {
        let program = env::current_exe().unwrap().display().to_string();
        let test = "command_line::program_of_its_own";
        let [ignored, exact, nocapture] = ["--ignored", "--exact", "--nocapture"];
        [
            program,
            ignored.into(),
            exact.into(),
            test.into(),
            nocapture.into(),
        ]
    }

    /// Variables that the program reads, and those of the session.
    fn variables(&self, mode: &str, set: &[(&str, &str)]) -> Vec<(String, String)> {
        let token_file = self.folder.file("token.json").display().to_string();
        let note = self.note().display().to_string();
        let own = [
            ("MODE", mode),
            ("CLIENT", &self.client),
            ("TOKEN_FILE", &token_file),
            ("NOTE", &note),
        ];
        own.iter()
            .chain(set)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn note(&self) -> std::path::PathBuf {
        self.folder.file("note")
    }

    /// Notes about browser windows, once the last of them has shown its last page.
    fn noted(&self, terminal: &Terminal) -> String {
        let errors = self.folder.file("note.errors");
        terminal.until(|_| {
            let errors = read(&errors);
            assert!(errors.is_empty(), "{errors}");
            Some(read(&self.note())).filter(|noted| noted.contains("saw "))
        })
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn program_of_its_own() {
    let status = call();
    // The harness writes without an end of the line.
    println!(
        "\nresult={}",
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    );
}

/// Logs the user in if that is needed, and calls the API.
fn call() -> Result<u16> {
    let variable = |name: &str| env::var(name).unwrap();
    let (issuer, id) = (issuer(), variable("CLIENT"));
    let url = |path: &str| format!("{issuer}{path}");
    let device = env::var("DEVICE").ok();
    let store = FileTokenStore::new(variable("TOKEN_FILE"));
    let login = InteractiveLogin::new().timeout(Duration::from_secs(240));
    if variable("MODE") == "blocking" {
        let builder = OAuth2Client::builder(id)
            .issuer(&issuer)
            .authorization_endpoint(url("/auth"))
            .token_endpoint(url("/token"))
            .scope("reports:read")
            .token_store(store);
        let client = match device {
            Some(device) => builder.device_authorization_endpoint(device).build()?,
            None => builder.build()?,
        };
        client.ensure_login(login)?;
        let answer = client.get(url("/api/me")).send()?;
        client.close()?;
        return Ok(answer.status().as_u16());
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let builder = AsyncOAuth2Client::builder(id)
            .issuer(&issuer)
            .authorization_endpoint(url("/auth"))
            .token_endpoint(url("/token"))
            .scope("reports:read")
            .token_store(store);
        let client = match device {
            Some(device) => builder.device_authorization_endpoint(device).build()?,
            None => builder.build()?,
        };
        client.ensure_login(login).await?;
        let answer = client.get(url("/api/me")).send().await?;
        client.close().await?;
        Ok(answer.status().as_u16())
    })
}

fn ended(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_user_logs_in_with_the_browser_and_stays_logged_in() {
    for mode in MODES {
        let program = Program::new(&format!("browser-{mode}"));
        let browser = beside("open");
        for _run in 0..2 {
            let terminal = Terminal::new();
            let child = program.run(mode, &terminal, &[("BROWSER", &browser)]);
            assert_eq!(terminal.line("result="), "200", "{}", terminal.screen());
            ended(child);
            let noted = program.noted(&terminal);
            assert_eq!(noted, "opened\nsaw You can close this page\n");
        }
        assert_eq!(count(&program.client, "authorization_code"), "1");
    }
}

#[test]
fn of_eight_processes_one_opens_the_browser() {
    let program = Program::new("eight");
    let browser = beside("open");
    let terminals: Vec<_> = (0..8).map(|_| Terminal::new()).collect();
    let modes = MODES.into_iter().cycle();
    let children: Vec<_> = (terminals.iter().zip(modes))
        .map(|(terminal, mode)| program.run(mode, terminal, &[("BROWSER", &browser)]))
        .collect();
    for terminal in &terminals {
        assert_eq!(terminal.line("result="), "200", "{}", terminal.screen());
    }
    children.into_iter().for_each(ended);
    let noted = program.noted(&terminals[0]);
    assert_eq!(noted, "opened\nsaw You can close this page\n");
    assert_eq!(count(&program.client, "authorization_code"), "1");
}

/// The address that stands alone on its line.
fn address(terminal: &Terminal, beginning: &str) -> String {
    terminal.until(|screen| {
        let (complete, _) = screen.rsplit_once('\n')?;
        let mut lines = complete.lines().map(str::trim_end);
        let line = lines.find(|line| line.starts_with(beginning))?;
        Some(line.to_owned())
    })
}

#[test]
fn a_user_elsewhere_pastes_the_address_of_the_last_page() {
    for mode in MODES {
        let program = Program::new(&format!("pasted-{mode}"));
        let mut terminal = Terminal::new();
        let child = program.run(mode, &terminal, &[]);
        let url = address(&terminal, &format!("{}/auth?", issuer()));
        let callback = user(&["elsewhere", &url]);
        terminal.type_line(&callback);
        assert_eq!(terminal.line("result="), "200", "{}", terminal.screen());
        ended(child);
        assert_eq!(count(&program.client, "authorization_code"), "1");
    }
}

#[test]
fn a_user_of_a_remote_machine_types_the_code_into_the_providers_page() {
    for mode in MODES {
        let program = Program::new(&format!("device-{mode}"));
        let endpoint = format!("{}/device/auth", issuer());
        let terminal = Terminal::new();
        let session = [("SSH_CONNECTION", "a 1 b 2"), ("DEVICE", &*endpoint)];
        let child = program.run(mode, &terminal, &session);
        let page = address(&terminal, &format!("{}/device", issuer()));
        let code = terminal.until(|screen| {
            let (_, rest) = screen.split_once("\u{1b}[1m")?;
            Some(rest.split_once("\u{1b}[0m")?.0.to_owned())
        });
        user(&["device", &page, &code]);
        assert_eq!(terminal.line("result="), "200", "{}", terminal.screen());
        ended(child);
        assert_eq!(count(&program.client, DEVICE), "1");
        assert_eq!(count(&program.client, "authorization_code"), "0");
    }
}

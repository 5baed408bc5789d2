//! The web application of `examples/axum_login`, from the first click to the logout.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    folder::Folder,
    free_port::free_port,
    user::{issuer, register, user},
};

const CLIENT: &str = "axum";

/// The application as a process, which ends with this one, and its Redis.
struct Application {
    shell: Child,
    redis: Child,
    home: String,
    _folder: Folder,
}

impl Application {
    fn start() -> Self {
        let program = env::var("AXUM_LOGIN").expect("these tests are run by tests/interop/run");
        let [address, redis_address] =
            [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let home = format!("http://{address}/");
        register(&json!({
            "client_id": CLIENT,
            "client_secret": "its-secret",
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [format!("{home}callback")],
            "post_logout_redirect_uris": [home],
            "access_token_ttl": 20,
        }));
        let folder = Folder::new(CLIENT);
        let redis = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(redis_address.port().to_string())
            .current_dir(folder.file(""))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(redis_address);
        let shell = Command::new("sh")
            .args(["-c", r#""$0" & read -r _; kill $!; wait $!"#, &program])
            .current_dir(folder.file(""))
            .env("ISSUER", issuer())
            .env("API", format!("{}/api/me", issuer()))
            .env("CLIENT_ID", CLIENT)
            .env("CLIENT_SECRET", "its-secret")
            .env("SCOPE", "openid reports:read")
            .env("PORT", address.port().to_string())
            .env("REDIS", format!("redis://{redis_address}"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(address);
        Self {
            shell,
            redis,
            home,
            _folder: folder,
        }
    }

    /// Ends it as a service is ended.
    fn end(&mut self) {
        drop(self.shell.stdin.take());
        assert!(self.shell.wait().unwrap().success());
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}

/// Waits until a server listens.
fn wait_for(address: SocketAddr) {
    for _ in 0..600 {
        if TcpStream::connect(address).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("nothing listens on {address}");
}

#[test]
fn a_web_application_from_the_first_click_to_the_logout_in_two_tabs() {
    let mut application = Application::start();
    user(&["web", &application.home, CLIENT]);
    application.end();
}

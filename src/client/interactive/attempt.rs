//! One login, in the way that suits the session.

use std::time::Duration;

use super::{
    super::{
        maybe_async,
        oauth2::{Login, OAuth2Client},
        sleep,
        waiting::Deadline,
    },
    conclusion::Conclusion,
    loopback::{TICK, TOO_LATE, no_callback, serve_final_page},
};
use crate::{
    error::{Error, ErrorCode, ErrorKind, Result},
    login::{
        browser::BrowserLaunch,
        environment::{Environment, program},
        input::TypedLines,
        loopback_uri::LoopbackUri,
        pasted::Pasted,
        prompt::LoginPrompt,
        receiver::Receiver,
        settings::{InteractiveLogin, LoginMethod},
        surface::Surface,
    },
    oauth2::{
        authorization::{endpoint::AuthorizationUrl, pending::PendingAuthorization},
        endpoint::device_authorization::response::DeviceAuthorization,
    },
    secret::Secret,
};

/// A login that is under way.
pub(super) struct LoginAttempt<'a> {
    client: &'a OAuth2Client,
    settings: &'a InteractiveLogin,
    environment: Environment,
    pub(super) surface: Surface,
    /// The browser that was opened for a login that was completed.
    browser: Option<(BrowserLaunch, Deadline)>,
}

/// Sources from which the answer may come.
struct Sources {
    receiver: Option<Receiver>,
    typed: Option<TypedLines>,
    opening: Option<BrowserLaunch>,
}

impl Sources {
    /// Whether it turns out just now that no browser could be opened.
    fn has_no_browser(&mut self) -> bool {
        let opening = self.opening.as_mut();
        opening.is_some_and(BrowserLaunch::has_failed)
    }

    /// Whether a text browser has the terminal, which is neither read nor written then.
    fn terminal_is_taken(&self) -> bool {
        let opening = self.opening.as_ref();
        opening.is_some_and(BrowserLaunch::has_terminal)
    }
}

impl<'a> LoginAttempt<'a> {
    pub(super) fn new(client: &'a OAuth2Client, settings: &'a InteractiveLogin) -> Self {
        let environment = Environment::detect();
        let own = settings.on_prompt.clone();
        let is_terminal = environment.error_is_terminal;
        Self {
            client,
            settings,
            environment,
            surface: Surface::new(own, settings.is_quiet, is_terminal),
            browser: None,
        }
    }

    /// The same attempt with other settings.
    pub(super) fn with<'b>(self, settings: &'b InteractiveLogin) -> LoginAttempt<'b>
    where
        'a: 'b,
    {
        LoginAttempt { settings, ..self }
    }

    /// What is left to say of a login that was completed.
    pub(super) fn into_conclusion(self) -> Conclusion {
        Conclusion::new(self.surface, self.browser)
    }

    /// Checks that a user can log in.
    pub(super) fn check(&self) -> Result<()> {
        let settings = self.settings;
        // A code in the logs of a service suffices if the calling code asks for it.
        if self.has_own_surface()
            || settings.method == LoginMethod::Device
            || self.environment.is_interactive()
        {
            return Ok(());
        }
        Err(Error::login(format!(
            "the user has to log in, and there is no terminal to do it; run {} once in a terminal",
            program()
        )))
    }

    fn has_own_surface(&self) -> bool {
        self.settings.on_prompt.is_some() || self.settings.open.is_some()
    }

    fn can_open(&self) -> bool {
        self.settings.open.is_some() || self.environment.can_open()
    }

    /// Whether the server has the device flow, and the caller has not decided against it.
    fn can_use_device(&self) -> bool {
        let live = self.client.session.live();
        let has_endpoint = live.is_ok_and(|live| {
            let server = live.shared.server();
            server.is_some_and(|server| server.device_authorization_endpoint().is_some())
        });
        has_endpoint && self.settings.method == LoginMethod::Any
    }

    /// The answer in the line that the user has typed, unless it is not accepted.
    fn typed(&mut self, typed: &mut TypedLines, pending: &PendingAuthorization) -> Option<Secret> {
        let line = typed.line()?;
        self.surface.line_was_typed();
        match pending.read_pasted(&line) {
            Pasted::Nothing => None,
            Pasted::Callback(callback) => Some(callback),
            Pasted::Refused(reason) => {
                let reason = reason.to_owned();
                self.surface.show(&LoginPrompt::PasteRefused { reason });
                None
            }
        }
    }
}

#[maybe_async]
impl LoginAttempt<'_> {
    /// Logs the user in.
    pub(super) async fn run(&mut self) -> Result<Login> {
        if self.settings.method == LoginMethod::Device {
            return self.by_device().await;
        }
        self.client.fetch_server().await?;
        let opens = self.can_open()
            || (self.settings.method == LoginMethod::Browser && !self.takes_paste());
        if opens {
            let login = self.by_browser(true).await?;
            if let Some(login) = login {
                return Ok(login);
            }
        }
        if self.can_use_device() {
            let login = self.by_device_if_offered().await?;
            if let Some(login) = login {
                return Ok(login);
            }
        }
        // A client that may not use the device flow logs in with a browser elsewhere, and pastes.
        let login = self.by_browser(false).await?;
        match login {
            Some(login) => Ok(login),
            None => self.by_device().await,
        }
    }

    /// By a browser, on this machine or any other; none if it cannot be opened and the device flow
    /// is there.
    async fn by_browser(&mut self, opens: bool) -> Result<Option<Login>> {
        let settings = self.settings;
        let live = self.client.session.live()?;
        let own = live.shared.settings.client.redirect_uri();
        let registered = settings.redirect_uri_or(own).to_owned();
        let uri = LoopbackUri::parse(&registered)?;
        // The user may have forwarded a port that is fixed.
        let is_forwarded = uri.as_ref().is_some_and(|uri| uri.port.is_some());
        if !opens && !is_forwarded && !self.has_own_surface() && self.environment.is_out_of_reach()
        {
            return Err(Error::login(format!(
                "the browser of another machine cannot return to this one, and {}; run {} at a \
                 desktop, or set a redirect_uri with a port and forward that",
                self.environment.why_no_paste(),
                program()
            )));
        }
        let mut receiver = match uri {
            Some(uri) => Some(Receiver::bind(uri)?),
            None => None,
        };
        if let Some(receiver) = &mut receiver {
            if let Some(page) = settings.page.clone() {
                receiver.set_page(page);
            }
            if settings.takes_posts() {
                receiver.take_posts();
            }
        }
        let typed = match self.takes_paste() {
            true => TypedLines::of_stdin(),
            false => None,
        };
        if receiver.is_none() && typed.is_none() {
            return Err(Error::login(format!(
                "the redirect_uri is not on loopback, and {}; register one such as \
                 http://127.0.0.1/callback",
                self.environment.why_no_paste()
            )));
        }
        let redirect_uri = receiver.as_ref().map_or(registered, Receiver::redirect_uri);
        let request = settings.authorization_request(&redirect_uri);
        let AuthorizationUrl { url, pending } = self.client.begin_authorization(request).await?;
        let mut prompt = LoginPrompt::Browser {
            url: url.clone(),
            opens,
            takes_paste: typed.is_some(),
        };
        self.surface.show(&prompt);
        let open = settings.open.clone();
        let mut sources = Sources {
            receiver,
            typed,
            opening: opens.then(|| BrowserLaunch::start(&url, open, self.environment)),
        };
        let deadline = Deadline::after(settings.browser_timeout());
        let callback = loop {
            let answer = self.answer(&mut sources, &pending);
            if let Some(answer) = answer {
                break answer;
            }
            if sources.has_no_browser() {
                if self.can_use_device() {
                    return Ok(None);
                }
                if let LoginPrompt::Browser { opens, .. } = &mut prompt {
                    *opens = false;
                }
                self.surface.show(&prompt);
            }
            self.client.session.live()?;
            if deadline.is_over() {
                return Err(no_callback().advised(self.why_no_callback(&redirect_uri).as_deref()));
            }
            let left = deadline.left();
            if !sources.terminal_is_taken() {
                self.surface.tick(|| LoginPrompt::Waiting { left });
            }
            sleep(TICK).await;
        };
        if let Some(receiver) = sources.receiver.take_if(|it| it.is_answered()) {
            serve_final_page(receiver, &pending).await;
        }
        let callback = callback.expose_secret();
        let login = self
            .client
            .complete_authorization(pending, callback)
            .await?;
        self.browser = sources.opening.map(|browser| (browser, deadline));
        Ok(Some(login))
    }

    /// On another device; none if the server refuses the device flow itself.
    async fn by_device_if_offered(&mut self) -> Result<Option<Login>> {
        let request = self.settings.device_request();
        let device = self.client.device_authorization(request).await;
        let login = match device {
            Ok(device) => self.by_code(device).await,
            // node oidc-provider says this of a client that may not use it.
            Err(error) if error.code() == Some(&ErrorCode::InvalidRequest) => return Ok(None),
            Err(error) => Err(error),
        };
        match login {
            // A browser would show an error page to a client that its server does not know.
            Err(error) if is_not_offered(&error) && !self.needs_other_client(&error) => Ok(None),
            login => login.map(Some),
        }
    }

    /// On another device.
    async fn by_device(&mut self) -> Result<Login> {
        let request = self.settings.device_request();
        let device = self.client.device_authorization(request).await?;
        self.by_code(device).await
    }

    /// On another device, by the code that is shown.
    async fn by_code(&mut self, device: DeviceAuthorization) -> Result<Login> {
        self.surface.show(&LoginPrompt::Device {
            verification_uri: device.verification_uri().clone(),
            user_code: device.user_code().to_owned(),
            verification_uri_complete: device.verification_uri_complete().map(str::to_owned),
        });
        let deadline = Deadline::after(self.settings.device_timeout());
        let surface = &mut self.surface;
        let mut tick = |left: Duration| -> Result<()> {
            if deadline.is_over() {
                return Err(Error::login(TOO_LATE));
            }
            let left = left.min(deadline.left());
            surface.tick(|| LoginPrompt::Waiting { left });
            Ok(())
        };
        self.client.await_device(device, &mut tick).await
    }
}

impl LoginAttempt<'_> {
    /// Whether the terminal is read.
    fn takes_paste(&self) -> bool {
        let settings = self.settings;
        self.environment.can_paste() && settings.on_prompt.is_none() && !settings.is_quiet
    }

    /// Whether the server does not know the client any longer, which is registered anew for that.
    fn needs_other_client(&self, error: &Error) -> bool {
        let live = self.client.session.live();
        error.code() == Some(&ErrorCode::InvalidClient)
            && live.is_ok_and(|live| live.replaces_after(error))
    }

    /// Why the server may have shown an error instead of a login, if the client was not registered
    /// by its developer.
    fn why_no_callback(&self, redirect_uri: &str) -> Option<String> {
        let live = self.client.session.live().ok()?;
        let settings = &live.shared.settings;
        let client_id = settings.client.client_id();
        if let Some(registered) = &settings.registered {
            let issuer = registered.issuer();
            let age = registered.registered_at().map(|at| {
                let age = settings.clock.now().duration_since(at).unwrap_or_default();
                format!(" {} days ago", age.as_secs() / 86_400)
            });
            let age = age.unwrap_or_default();
            return Some(format!(
                "if the browser showed an error, the server may not know the client {client_id} \
                 any longer, which was registered at {issuer}{age}: forget_registration drops it, \
                 and register_again_without_callback of the builder registers anew"
            ));
        }
        client_id.starts_with("https://").then(|| {
            format!(
                "if the browser showed an error, the server may compare the port of \
                 {redirect_uri}: set a redirect_uri with a fixed port, and publish it in the \
                 client metadata document"
            )
        })
    }

    /// The answer, if it has come.
    fn answer(&mut self, from: &mut Sources, pending: &PendingAuthorization) -> Option<Secret> {
        if let Some(receiver) = &mut from.receiver {
            let answer = receiver.step(|callback| pending.is_answered_by(callback));
            if answer.is_some() {
                return answer;
            }
        }
        match from.terminal_is_taken() {
            true => None,
            false => self.typed(from.typed.as_mut()?, pending),
        }
    }
}

/// Whether the server refuses the device flow itself.
fn is_not_offered(error: &Error) -> bool {
    let code = error.code().map(|code| code.as_str());
    error.kind() == ErrorKind::Server
        && matches!(
            code,
            Some("unauthorized_client" | "unsupported_grant_type" | "invalid_client")
        )
}

//! A user's browser, as far as logging in needs one: cookies, redirects, forms.

use std::collections::HashMap;

use oauth_twin::{
    reqwest::{
        Url,
        header::{COOKIE, LOCATION, SET_COOKIE},
        redirect::Policy,
    },
    url::form_urlencoded,
};

use crate::mode::{http, maybe_async, own_client_with};

/// A reqwest client that follows no redirects.
pub fn unfollowing_client() -> http::Client {
    own_client_with(|builder| builder.redirect(Policy::none()))
}

pub struct Browser {
    http: http::Client,
    cookies: HashMap<String, String>,
}

/// A page that is shown.
pub struct Page {
    url: Url,
    pub html: String,
}

impl Page {
    /// The hidden fields of its form.
    fn hidden(&self) -> Vec<(String, String)> {
        self.html
            .split("<input")
            .skip(1)
            .map(|input| input.split('>').next().unwrap_or_default())
            .filter(|input| attribute(input, "type").as_deref() == Some("hidden"))
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
            .collect()
    }

    /// The body of the form, which posts itself to `callback`.
    pub fn posted(&self, callback: &str) -> String {
        let tag = between(&self.html, "<form", ">").expect("a form");
        assert_eq!(attribute(tag, "action").as_deref(), Some(callback));
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(self.hidden()).finish()
    }
}

/// Target of a click.
pub enum Outcome {
    Page(Page),
    /// The user is sent back to the application with this URL.
    Callback(String),
}

impl Outcome {
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Callback(url) => panic!("a page was to be shown, not {url}"),
        }
    }

    pub fn callback(self) -> String {
        match self {
            Self::Callback(url) => url,
            Self::Page(page) => panic!("the user was to be sent back, not shown {}", page.html),
        }
    }
}

impl Browser {
    pub fn new() -> Self {
        Self {
            http: unfollowing_client(),
            cookies: HashMap::new(),
        }
    }
}

#[maybe_async]
impl Browser {
    /// Opens `url` and follows redirects until a page is shown, or until one leads to `callback`.
    pub async fn open(&mut self, url: Url, callback: &str) -> Outcome {
        self.go(url, None, callback).await
    }

    /// Fills in the form of a page and submits it.
    pub async fn submit(
        &mut self,
        page: &Page,
        fields: &[(&str, &str)],
        callback: &str,
    ) -> Outcome {
        let tag = between(&page.html, "<form", ">").expect("a form");
        let action = attribute(tag, "action").unwrap_or_default();
        let url = page.url.join(&action).expect("a URL");
        let mut form = page.hidden();
        form.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        );
        self.go(url, Some(form), callback).await
    }

    /// Follows the first link whose address holds `part`.
    pub async fn click(&mut self, page: &Page, part: &str, callback: &str) -> Outcome {
        let link = page
            .html
            .split("<a ")
            .filter_map(|tag| attribute(tag.split('>').next()?, "href"))
            .find(|href| href.contains(part))
            .expect("a link");
        let url = page.url.join(&link).expect("a URL");
        self.go(url, None, callback).await
    }

    async fn go(
        &mut self,
        mut url: Url,
        mut form: Option<Vec<(String, String)>>,
        callback: &str,
    ) -> Outcome {
        for _ in 0..10 {
            let cookies: Vec<_> = self
                .cookies
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect();
            let request = match form.take() {
                Some(form) => self.http.post(url.clone()).form(&form),
                None => self.http.get(url.clone()),
            };
            let response = request.header(COOKIE, cookies.join("; ")).send().await;
            let response = response.expect("the server answers");
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie
                    .to_str()
                    .expect("ASCII")
                    .split(';')
                    .next()
                    .unwrap_or_default();
                if let Some((name, value)) = cookie.split_once('=') {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
            let Some(location) = response.headers().get(LOCATION) else {
                let html = response.text().await.expect("a text");
                return Outcome::Page(Page { url, html });
            };
            let location = location.to_str().expect("ASCII");
            if location.starts_with(callback) {
                return Outcome::Callback(location.to_owned());
            }
            url = url.join(location).expect("a URL");
        }
        panic!("too many redirects")
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split(to).next()
}

/// An attribute of a tag, with the few escapes that HTML has for URLs.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = between(tag, &format!("{name}=\""), "\"")?;
    Some(
        value
            .replace("&amp;", "&")
            .replace("&#34;", "\"")
            .replace("&#39;", "'"),
    )
}

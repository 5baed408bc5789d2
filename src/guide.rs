//! Guides, as in the folder `docs` of the package.
//!
//! - [Command line](command_line): the login of its user
//! - [Web](web): logins of the users of a web back end, with axum and Redis
//! - [Life of a token](lifecycle): states, promises and their limits, shutdown, errors
//! - [Logging](logging): spans, events, and what is not in them
//! - [MCP](mcp) and other APIs that are known by their URL alone
//! - [OpenID Connect](openid_connect): logins, what is checked, and recipes for providers
//! - [FAPI 2.0](fapi): DPoP, pushed and signed requests, certificates
//! - [Bluesky](bluesky), and other applications of the AT Protocol
//! - [Workloads](workloads): the platform's own token instead of a secret, and Google's credentials
//! - [Providers](providers) that depart from the standard
//! - [Design](design) and its reasons
//! - [Security](security): assumptions, promises and their limits, reports
//! - [Parity](parity) with Authlib
//! - [Lines of code](comparison), beside other libraries
//! - [Contributing](contributing), and the [internals] of the life of a token

// Of two definitions of a link the first counts: `links.md` leads to the pages of the documentation
// what leads to files in the repository. The examples are documentation tests.

/// Login of the user of a command line, with the feature `login`.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[cfg_attr(feature = "login", doc = include_str!("../docs/command-line.md"))]
pub mod command_line {}

/// Clients of a URL: MCP servers and other protected resources, with the feature `login`.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[cfg_attr(feature = "login", doc = include_str!("../docs/mcp.md"))]
pub mod mcp {}

/// Logins of the users of a web back end, with axum and Redis.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/web.md")]
pub mod web {}

/// Life of a token: states, promises and their limits, shutdown, errors.
///
#[doc = include_str!("guide/links.md")]
#[doc = "<style>img[src='lifecycle.svg'] { display: none }</style>\n"]
#[doc = include_str!("../docs/lifecycle.svg")]
#[doc = ""]
#[doc = include_str!("../docs/lifecycle.md")]
pub mod lifecycle {}

/// Life of a token, for those who change the library.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/lifecycle-internals.md")]
pub mod internals {}

/// Jobs without a secret: the platform's own token, and Google's credentials.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/workloads.md")]
pub mod workloads {}

/// Logging: spans, events, and what is not in them.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/logging.md")]
pub mod logging {}

/// Logging users in by OpenID Connect: what is checked, and recipes for providers.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/openid-connect.md")]
pub mod openid_connect {}

/// FAPI 2.0 for banks and other APIs that are well protected.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/fapi.md")]
pub mod fapi {}

/// Logins by the AT Protocol's profile of OAuth.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/bluesky.md")]
pub mod bluesky {}

/// Providers that depart from the standard, each with an example.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/providers.md")]
pub mod providers {}

/// Design of the library, and why it is not otherwise.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/design.md")]
pub mod design {}

/// Comparison with Authlib, one row for each behaviour.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../docs/parity.md")]
pub mod parity {}

/// Lines of code of the commonest jobs, beside other libraries.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[cfg_attr(feature = "login", doc = include_str!("../docs/comparison.md"))]
pub mod comparison {}

/// Security: assumptions, promises and their limits, reports.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../SECURITY.md")]
pub mod security {}

/// Contributing: build, test, a guided tour, the style.
///
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("../CONTRIBUTING.md")]
pub mod contributing {}

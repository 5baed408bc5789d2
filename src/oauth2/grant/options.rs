//! Common options of grants: scope, resource and further parameters.

use crate::{oauth2::scope::Scope, wire::form::Form};

/// Scope and further parameters of a grant.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantOptions {
    pub(crate) scope: Option<Scope>,
    pub(crate) parameters: Form,
}

/// Builder methods of a grant that has a field `options`.
macro_rules! grant_options {
    ($grant:ty) => {
        impl $grant {
            /// Sets the scope, instead of the client's.
            ///
            /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
            #[must_use]
            pub fn scope(mut self, scope: impl Into<$crate::oauth2::scope::Scope>) -> Self {
                self.options.scope = Some(scope.into());
                self
            }

            /// Adds a resource that the token is for, instead of the client's.
            ///
            /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
            #[must_use]
            pub fn resource(self, resource: impl Into<String>) -> Self {
                self.param("resource", resource.into())
            }

            /// Adds a parameter beyond the standard ones, such as `audience`. It is repeated when
            /// the token is renewed.
            #[must_use]
            pub fn param(
                mut self,
                name: impl Into<std::borrow::Cow<'static, str>>,
                value: impl Into<$crate::secret::Secret>,
            ) -> Self {
                self.options.parameters.push(name, value);
                self
            }
        }
    };
}
pub(crate) use grant_options;

//! Microsoft Entra ID: the identity of a workload in Kubernetes.
//!
//! [Workload identity federation](https://learn.microsoft.com/entra/workload-id/workload-identity-federation)

use std::path::PathBuf;

use crate::{
    error::{Error, Result},
    oauth2::client_auth::federated::FederatedAssertion,
};

/// The public cloud, where no other authority is set.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// Identity of a workload in Kubernetes at Microsoft Entra ID, as its webhook sets it in the
/// environment: `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE` and
/// `AZURE_AUTHORITY_HOST`.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::{ClientCredentials, EntraWorkloadIdentity}};
///
/// let identity = EntraWorkloadIdentity::from_env()?;
/// let client = OAuth2Client::builder(identity.client_id())
///     .token_endpoint(identity.token_endpoint())
///     .token_endpoint_auth_method(identity.assertion())
///     .grant(ClientCredentials::new().scope("https://graph.microsoft.com/.default"))
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// The platform replaces the file every hour; it is read for each request.
///
/// [Workload identity federation](https://learn.microsoft.com/entra/workload-id/workload-identity-federation)
#[derive(Clone, Debug)]
pub struct EntraWorkloadIdentity {
    client_id: String,
    token_endpoint: String,
    token_file: PathBuf,
}

impl EntraWorkloadIdentity {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// If a variable is missing or empty, which is named.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the same variables from elsewhere.
    ///
    /// # Errors
    ///
    /// If a variable is missing or empty, which is named.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name: &str| {
            given(name).ok_or_else(|| {
                Error::usage(format!(
                    "the variable {name} is not set: the pod needs the label \
                     azure.workload.identity/use, and a service account with the client's identifier"
                ))
            })
        };
        let authority = given("AZURE_AUTHORITY_HOST");
        let authority = authority.as_deref().unwrap_or(AUTHORITY);
        let (authority, tenant) = (
            authority.trim_end_matches('/'),
            required("AZURE_TENANT_ID")?,
        );
        Ok(Self {
            client_id: required("AZURE_CLIENT_ID")?,
            token_endpoint: format!("{authority}/{tenant}/oauth2/v2.0/token"),
            token_file: required("AZURE_FEDERATED_TOKEN_FILE")?.into(),
        })
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The token endpoint of the tenant.
    pub fn token_endpoint(&self) -> &str {
        &self.token_endpoint
    }

    /// The client authentication, which reads the token file anew for each request.
    pub fn assertion(&self) -> FederatedAssertion {
        FederatedAssertion::file(&self.token_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EntraWorkloadIdentity> {
        EntraWorkloadIdentity::from_variables(|name| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_variables_of_the_webhook_make_a_client() {
        let all = [
            ("AZURE_CLIENT_ID", "id"),
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ];
        let identity = read(&all).expect("an identity");
        assert_eq!(identity.client_id(), "id");
        assert_eq!(
            identity.token_endpoint(),
            "https://login.microsoftonline.us/tenant/oauth2/v2.0/token"
        );
        let public = read(&all[..3]).expect("an identity");
        assert_eq!(
            public.token_endpoint(),
            "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
        );
        for missing in 0..3 {
            let mut some = all;
            some[missing].1 = "";
            let error = read(&some).expect_err("a variable").to_string();
            assert!(error.contains(all[missing].0), "{error}");
        }
    }
}

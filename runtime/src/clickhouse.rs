//! The way to ClickHouse: address, user, TLS with an own certificate authority.

use std::time::Duration;

use clickhouse::{Client, Compression};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::secret::Secret;
use crate::settings::ClickHouseSettings;

/// ClickHouse closes idle connections after 3 s by default.
const IDLE_CONNECTION: Duration = Duration::from_secs(2);

/// TLS, or the file of the certificate authority, cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up the ClickHouse client for {url}: {message}")]
pub struct ClickHouseClientError {
    url: String,
    message: String,
}

/// A client for `user` on the server that the settings name. The database is not set: statements name it.
///
/// # Errors
/// When the certificate authority's file cannot be used.
pub fn client(
    settings: &ClickHouseSettings,
    user: &str,
    password: &Secret,
) -> Result<Client, ClickHouseClientError> {
    let fault = |message: String| ClickHouseClientError { url: settings.url.clone(), message };
    let mut tls = native_tls::TlsConnector::builder();
    if !settings.ca_file.is_empty() {
        let pem = std::fs::read(&settings.ca_file)
            .map_err(|error| fault(format!("failed to read {}: {error}", settings.ca_file)))?;
        let authority = native_tls::Certificate::from_pem(&pem)
            .map_err(|error| fault(format!("failed to read {} as PEM: {error}", settings.ca_file)))?;
        tls.add_root_certificate(authority);
    }
    let tls = tls.build().map_err(|error| fault(error.to_string()))?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .build(HttpsConnector::from((tcp, tls.into())));
    let mut client = Client::with_http_client(http)
        .with_url(settings.url.as_str())
        .with_user(user)
        .with_compression(Compression::None);
    if !password.is_empty() {
        client = client.with_password(password.expose());
    }
    Ok(client)
}

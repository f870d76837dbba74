//! Whom the page is served: browsers that asked for it by a name of ours. A foreign page can have its own name lead to this address (DNS
//! rebinding) and would then read customers' words as if they were its own; the `Host` header tells it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// No script, style, image or frame from elsewhere, and nobody may put the page into a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                                       connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names of ours, besides localhost and addresses in numbers.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(crate) fn new(names: &[String]) -> Hosts {
        Hosts(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name),
        };
        name == "localhost"
            || name.parse::<Ipv4Addr>().is_ok()
            || name.parse::<Ipv6Addr>().is_ok()
            || self.0.iter().any(|known| known == name)
    }
}

/// Refuses requests under foreign names; adds the headers that every answer has.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut response = if hosts.is_ours(host) {
        next.run(request).await
    } else {
        let message = "this console is not served under this name: add it to console.hosts\n";
        (StatusCode::MISDIRECTED_REQUEST, message).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_and_addresses_are_served() {
        let hosts = Hosts::new(&["Console.Example.com".to_owned()]);
        for ours in [
            "localhost:8088",
            "127.0.0.1:8088",
            "[::1]:8088",
            "192.168.1.2",
            "console.example.com",
            "LOCALHOST",
        ] {
            assert!(hosts.is_ours(ours), "{ours}");
        }
        for foreign in ["", "evil.test:8088", "localhost.evil.test", "127.0.0.1.evil.test", "[evil]"] {
            assert!(!hosts.is_ours(foreign), "{foreign}");
        }
    }
}

//! Who may ask what.
//!
//! * A page of another site reads nothing here: no header allows it (CORS), and a name of its own that resolves to this address
//!   (DNS rebinding) is refused, because it is in `Host`. With TLS the certificate says who this is.
//! * It orders nothing either: orders need a header with a token that is made at each start, and the `Origin` of this page. There is
//!   no cookie that a browser would add by itself.
//! * The page itself runs no script and loads nothing but its own files (Content-Security-Policy).

use std::{io::Read, net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The header that orders carry.
pub(super) const ORDER: &str = "x-smoc-order";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONNECTION, "close"),
];

/// What is asked of each request.
#[derive(Debug)]
pub(super) struct Guard {
    /// Whether the port speaks TLS.
    pub is_encrypted: bool,
    /// The token of orders; `None`: there are none.
    pub order: Option<String>,
}

impl Guard {
    /// With a token of this start if orders are taken.
    pub(super) fn new(is_encrypted: bool, writes: bool) -> std::io::Result<Self> {
        Ok(Self { is_encrypted, order: writes.then(random).transpose()? })
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text("host").unwrap_or_default();
        if !self.is_encrypted && !is_address(host) {
            return Some((
                StatusCode::MISDIRECTED_REQUEST,
                "ask for this page by its address, as http://127.0.0.1:8053, or localhost: without TLS a name proves nothing",
            ));
        }
        if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
            && *method != Method::GET
        {
            return Some((StatusCode::FORBIDDEN, "orders come from this page only"));
        }
        match *method {
            Method::GET | Method::HEAD => None,
            Method::POST => {
                let Some(order) = &self.order else {
                    return Some((
                        StatusCode::FORBIDDEN,
                        "this page only reads: writes: true (smoc web --writes) lets it drain",
                    ));
                };
                let scheme = if self.is_encrypted { "https" } else { "http" };
                let is_ours = text("origin") == Some(&format!("{scheme}://{host}"));
                let has_token = text(ORDER) == Some(order);
                (!is_ours || !has_token).then_some((StatusCode::FORBIDDEN, "orders come from this page only"))
            }
            _ => Some((StatusCode::METHOD_NOT_ALLOWED, "this page is read")),
        }
    }
}

/// Refuses what it must, and puts the headers on every answer.
pub(super) async fn guarded(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut answer = match guard.refusal(request.method(), request.headers()) {
        Some((status, why)) => (status, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Whether a `Host` is an IP address or `localhost`, with a port or without.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// 128 bits that nobody can guess, in hex.
fn random() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(guard: &Guard, method: Method, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        guard.refusal(&method, &headers.collect()).map(|(status, _)| status)
    }

    #[test]
    fn a_name_that_resolves_here_is_refused_unless_a_certificate_vouches_for_it() {
        let plain = Guard::new(false, false).unwrap();
        for host in ["127.0.0.1:8053", "localhost:8053", "[::1]:8053", "10.9.0.1"] {
            assert_eq!(refused(&plain, Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example:8053", "127.0.0.1.evil.example", "", "localhost.evil.example:8053"] {
            assert!(refused(&plain, Method::GET, &[("host", host)]).is_some(), "{host}");
        }
        let encrypted = Guard::new(true, false).unwrap();
        assert_eq!(refused(&encrypted, Method::GET, &[("host", "e1.example:8053")]), None);
    }

    #[test]
    fn orders_need_to_be_allowed_and_come_from_the_page() {
        let host = ("host", "127.0.0.1:8053");
        let origin = ("origin", "http://127.0.0.1:8053");
        let reads = Guard::new(false, false).unwrap();
        assert_eq!(refused(&reads, Method::POST, &[host, origin]), Some(StatusCode::FORBIDDEN));
        let writes = Guard::new(false, true).unwrap();
        let token = writes.order.clone().unwrap();
        let order = (ORDER, token.as_str());
        assert_eq!(refused(&writes, Method::POST, &[host, origin, order]), None);
        for headers in [
            vec![host, origin],
            vec![host, order],
            vec![host, origin, (ORDER, "guessed")],
            vec![host, ("origin", "http://evil.example"), order],
            vec![host, ("origin", "null"), order],
            vec![host, origin, order, ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(refused(&writes, Method::POST, &headers), Some(StatusCode::FORBIDDEN), "{headers:?}");
        }
        assert_ne!(Guard::new(false, true).unwrap().order.as_deref(), Some(token.as_str()));
        assert!(refused(&writes, Method::DELETE, &[host, origin, order]).is_some());
    }
}

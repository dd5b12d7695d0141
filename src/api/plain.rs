//! Requests that two readers would take for two things, refused before anybody acts on one.
//!
//! A proxy in front may find another end of a body, another host or another target
//! than we do; what it let pass as harmless would then be a delete here (request
//! smuggling; RFC 9112, 3.2 and 6.3). Its own file because it is about the frame of
//! a request alone: knows no route, no body, no caller.

use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The layer that refuses them.
pub(super) async fn only_plain(request: Request, next: Next) -> Response {
    // hyper drops a Content-Length that comes after Transfer-Encoding, so nobody here can tell whether
    // there was one. What follows such a body on its connection is never read.
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let (mut response, is_last) = match fault(&request) {
        None => (next.run(request).await, is_last),
        Some(detail) => (Problem::malformed(detail).into_response(), true),
    };
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is ambiguous about a request.
fn fault<B>(request: &axum::http::Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Some("a body has a Content-Length or a Transfer-Encoding, not both");
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => match host.to_str().ok().and_then(authority) {
            Some(host) => Some(host),
            None => return Some("the Host header is not a host"),
        },
        (None, _) if request.version() < Version::HTTP_11 => None,
        _ => return Some("send one Host header"),
    };
    let target = request.uri();
    match (target.scheme(), target.authority()) {
        (None, None) => None,
        // Whoever forwards by Host and whoever forwards by target must mean the same server.
        (Some(_), Some(named)) if host.is_some_and(|host| host == *named) => None,
        _ => Some("the request's target must be a path"),
    }
}

/// A host and perhaps a port; no user.
fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn refused(version: Version, target: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        fault(&request.body(()).unwrap()).is_some()
    }

    #[test]
    fn a_request_names_one_host_and_its_body_one_end() {
        let new = |target: &str, headers: &[(&str, &str)]| refused(Version::HTTP_11, target, headers);
        assert!(!new("/v1", &[("host", "h")]));
        assert!(!new("/v1", &[("host", "[::1]:8080"), ("content-length", "1")]));
        assert!(!new("/v1", &[("host", "h"), ("transfer-encoding", "chunked")]));
        assert!(new("/v1", &[("host", "h"), ("transfer-encoding", "chunked"), ("content-length", "1")]));
        assert!(!refused(Version::HTTP_10, "/v1", &[]));
        for hosts in
            [vec![], vec!["h", "h"], vec!["h", "i"], vec![""], vec!["a, b"], vec!["h/x"], vec!["u@h"]]
        {
            let headers: Vec<(&str, &str)> = hosts.iter().map(|host| ("host", *host)).collect();
            assert!(new("/v1", &headers), "{hosts:?}");
        }
        assert!(!new("http://h:80/v1", &[("host", "H:80")]));
        assert!(new("http://h/v1", &[("host", "i")]));
        assert!(new("http://u@h/v1", &[("host", "h")]));
        assert!(new("h:443", &[("host", "h:443")]));
    }
}

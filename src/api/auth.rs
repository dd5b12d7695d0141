//! Who calls, and whether the route may be entered.
//!
//! One layer around every route: the `Authorization` header becomes a caller, the
//! route's declared need (`scopes`) is held against its rights, and only then does the
//! handler run, which finds the caller as `Who`. What a caller may do is `guard`'s
//! business; on which account is the handler's question, and an account that the
//! caller may not see looks like one that is not there.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::problem::Problem;
use super::scopes::Needs;
use crate::guard::caller::{Caller, Scope};
use crate::guard::jwt;
use crate::types::metrics::RefusedLabels;
use crate::types::target::AccountId;

/// The caller of the request at hand.
#[derive(Debug, Clone)]
pub struct Who(pub Arc<Caller>);

impl FromRequestParts<Api> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        // Only a route that declares to need nobody has no caller, and its handler asks for none.
        let nobody = || Problem::new("internal", "this route was entered without a caller");
        parts.extensions.get::<Who>().cloned().ok_or_else(nobody)
    }
}

impl Who {
    /// The account of a path, if the caller may do this there.
    pub fn on(&self, api: &Api, account: &str, scope: Scope) -> Result<AccountId, Problem> {
        let missing = || Problem::not_found("there is no such account");
        let account = AccountId::parse(account).map_err(|_| missing())?;
        if !self.0.sees(&account) || !api.dispatch.has_account(&account) {
            return Err(missing());
        }
        self.has(scope)?;
        Ok(account)
    }

    /// Whether the caller may do this at all.
    pub fn has(&self, scope: Scope) -> Result<(), Problem> {
        self.has_one_of(&[scope])
    }

    fn has_one_of(&self, scopes: &[Scope]) -> Result<(), Problem> {
        if scopes.iter().any(|scope| self.0.has(*scope)) {
            return Ok(());
        }
        let words = scopes.iter().map(|scope| format!("`{}`", scope.as_str())).collect::<Vec<_>>();
        Err(Problem::new("scope", format!("this caller does not hold the scope {}", words.join(" or "))))
    }
}

/// Why a request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It came without credentials.
    NoCredentials,
    /// What it came with is no credential.
    Malformed,
    /// Nobody has this key.
    UnknownKey,
    /// The token is not good, or names nobody.
    BadToken,
    /// The token was good once.
    ExpiredToken,
    /// The issuer's keys are not known now.
    UncheckedToken,
    /// The caller may not do this.
    Scope,
    /// Too many bad ones came from there.
    TooManyBadKeys,
}

impl Why {
    /// The word in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Why::NoCredentials => "no_credentials",
            Why::Malformed => "malformed",
            Why::UnknownKey => "unknown_key",
            Why::BadToken => "bad_token",
            Why::ExpiredToken => "expired_token",
            Why::UncheckedToken => "unchecked_token",
            Why::Scope => "scope",
            Why::TooManyBadKeys => "too_many_bad_keys",
        }
    }

    /// Whether it could be a try to guess. Who sent nothing tried nothing, a token that cannot be
    /// checked now may be good, and one that has expired was: its signature is right, and its
    /// owner must hear 401 to fetch another.
    fn is_bad_key(self) -> bool {
        matches!(self, Why::Malformed | Why::UnknownKey | Why::BadToken)
    }

    fn problem(self) -> Problem {
        let detail = match self {
            Why::NoCredentials | Why::Malformed => "send one header Authorization: Bearer <key or token>",
            Why::UnknownKey => "the key is not known",
            Why::BadToken => "the token is not valid",
            Why::ExpiredToken => "the token has expired",
            Why::UncheckedToken => "the token cannot be checked now",
            Why::Scope => "this caller may not do this",
            Why::TooManyBadKeys => "too many bad keys came from this address; a good one is taken at once",
        };
        let code = match self {
            Why::Scope => "scope",
            Why::TooManyBadKeys => "too_many_bad_keys",
            Why::NoCredentials
            | Why::Malformed
            | Why::UnknownKey
            | Why::BadToken
            | Why::ExpiredToken
            | Why::UncheckedToken => "unauthenticated",
        };
        Problem::new(code, detail)
    }
}

/// A request that was turned away for who sent it.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// Why.
    pub why: Why,
    /// The caller, where it is known.
    pub caller: Option<&'a str>,
    /// Where it came from, where that is known.
    pub peer: Option<IpAddr>,
    /// The method.
    pub method: &'a str,
    /// The route's pattern.
    pub route: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
}

/// Called once for every request that is answered 401, 403 or 429 because of who sent it.
pub fn refused(api: &Api, refusal: &Refusal<'_>) {
    let Refusal { why, caller, peer, method, route, .. } = refusal;
    let why = why.as_str();
    api.metrics.refused.get_or_create(&RefusedLabels { why }).inc();
    let peer = peer.map(tracing::field::display);
    tracing::debug!(why, caller, peer, method, route, "turned away");
    let from = peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
    api.dispatch.refused(*caller, None, format!("{why}: {method} {route}{from}"));
}

/// The layer before every route: deny, unless the route says whom it takes.
pub async fn require(
    State((api, needs)): State<(Api, Arc<Needs>)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    // Nothing is routed there: the answer is 404 for everybody.
    let Some(route) = parts.extensions.get::<MatchedPath>().cloned() else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let Some(methods) = needs.on(route.as_str()) else {
        tracing::error!(route = route.as_str(), "a route declares no scope, so nobody may enter it");
        return Problem::not_found("there is no such path").into_response();
    };
    let Some(need) = methods.need(&parts.method) else {
        let detail = "this path does not take this method; see the Allow header";
        let mut response = Problem::new("method_not_allowed", detail).into_response();
        if let Ok(allow) = HeaderValue::try_from(methods.allow()) {
            response.headers_mut().insert(ALLOW, allow);
        }
        return response;
    };
    let Some(scopes) = need.scopes(api.public_docs) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let refuse = |why: Why, caller: Option<&str>| {
        let (method, route) = (method.as_str(), route.as_str());
        refused(&api, &Refusal { why, caller, peer, method, route, path: uri.path() });
    };
    let who = match identify(&api, &parts.headers).await {
        Ok(caller) => Who(caller),
        Err(why) => {
            let (why, problem) = slowed(&api, peer, why);
            refuse(why, None);
            return problem.into_response();
        }
    };
    let response = match who.has_one_of(scopes) {
        Ok(()) => {
            parts.extensions.insert(who.clone());
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    // The handler may ask for more than the route does.
    if response.extensions().get::<Problem>().is_some_and(|problem| problem.code() == "scope") {
        refuse(Why::Scope, Some(&who.0.name));
    }
    response
}

/// Bad credentials are answered as what they are, until too many came from one address.
fn slowed(api: &Api, peer: Option<IpAddr>, why: Why) -> (Why, Problem) {
    if let Some(peer) = peer.filter(|_| why.is_bad_key()) {
        let now = api.clock.uptime();
        let mut bad_keys = api.bad_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = bad_keys.count(peer, now) {
            let why = Why::TooManyBadKeys;
            return (why, why.problem().retry_after(whole_seconds(wait)));
        }
    }
    (why, why.problem())
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The caller that these headers name.
async fn identify(api: &Api, headers: &HeaderMap) -> Result<Arc<Caller>, Why> {
    if let Some(open) = api.callers.without_key() {
        return Ok(Arc::clone(open));
    }
    let bearer = bearer(headers)?;
    if !jwt::is_token(bearer) {
        return api.callers.authenticate(bearer).map(Arc::clone).ok_or(Why::UnknownKey);
    }
    match api.issuers.check(bearer).await {
        Ok(proven) => {
            api.callers.named_by(&proven.issuer, &proven.caller).map(Arc::clone).ok_or(Why::BadToken)
        }
        Err(jwt::Refused::Expired) => Err(Why::ExpiredToken),
        Err(jwt::Refused::NotValid) => Err(Why::BadToken),
        Err(jwt::Refused::Unchecked) => Err(Why::UncheckedToken),
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Why> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Why::NoCredentials)?;
    if values.next().is_some() {
        return Err(Why::Malformed);
    }
    let text = value.to_str().map_err(|_| Why::Malformed)?;
    let (scheme, credential) = text.split_once(' ').unwrap_or((text, ""));
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        Ok(credential)
    } else {
        Err(Why::Malformed)
    }
}

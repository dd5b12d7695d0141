//! Who calls: the `Authorization` header becomes a caller, or a 401.
//!
//! An extractor, so that a handler that names `Who` cannot run without one.
//! What a caller may do is `guard`'s business; an account that it may not see
//! looks like one that is not there.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Api;
use super::problem::Problem;
use crate::guard::caller::{Caller, Scope};
use crate::types::target::AccountId;

/// The caller of the request at hand.
#[derive(Debug, Clone)]
pub struct Who(pub Arc<Caller>);

impl FromRequestParts<Api> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        identify(api, &parts.headers).map(Who)
    }
}

/// The caller that these headers name.
pub fn identify(api: &Api, headers: &HeaderMap) -> Result<Arc<Caller>, Problem> {
    if let Some(open) = api.callers.without_key() {
        return Ok(Arc::clone(open));
    }
    let refuse = |detail: &str| Problem::new("unauthenticated", detail);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refuse("send one header Authorization: Bearer <key>"));
    };
    let text = value.to_str().map_err(|_| refuse("the Authorization header is not plain text"))?;
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refuse("send one header Authorization: Bearer <key>"));
    }
    api.callers.authenticate(key.trim()).map(Arc::clone).ok_or_else(|| refuse("the key is not known"))
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
        if self.0.has(scope) {
            return Ok(());
        }
        let word = scope.as_str();
        Err(Problem::new("scope", format!("this key does not hold the scope `{word}`")))
    }
}

//! What every route needs, read from the contract itself.
//!
//! Each handler's annotation says it once, as `x-scope`; `openapi.yaml` shows it and
//! `auth` enforces it before the handler runs, so that no handler can forget. Its own
//! file because it is about routes and knows no request: an operation that says
//! nothing, or a word that is not on the list, and the service does not start.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;
use utoipa::openapi::OpenApi as Document;

use crate::guard::caller::Scope;

/// The annotation's name.
pub const EXTENSION: &str = "x-scope";
/// The word of a route that needs no caller.
const NONE: &str = "none";
/// The word of operators' pages: `read`, or nothing where `server.public_docs` opens them.
const READ_UNLESS_PUBLIC: &str = "read-unless-public";

/// What is an operation in a path's object; the rest describes the path.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What an operation needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// No caller.
    Nothing,
    /// `read`, or nothing where a switch opens it.
    ReadUnlessPublic,
    /// One of these scopes, somewhere; on which account is for the handler to ask.
    AnyOf(Vec<Scope>),
}

impl Need {
    /// Reads one word, or a list of scopes of which one is enough.
    fn parse(value: &Value) -> Option<Self> {
        let scope = |value: &Value| Scope::parse(value.as_str()?);
        if let Some(words) = value.as_array() {
            let scopes = words.iter().map(scope).collect::<Option<Vec<_>>>()?;
            return (!scopes.is_empty()).then_some(Self::AnyOf(scopes));
        }
        match value.as_str()? {
            NONE => Some(Self::Nothing),
            READ_UNLESS_PUBLIC => Some(Self::ReadUnlessPublic),
            _ => Some(Self::AnyOf(vec![scope(value)?])),
        }
    }

    /// The scopes of which a caller must hold one; `None` if it needs no caller.
    #[must_use]
    pub fn scopes(&self, is_public: bool) -> Option<&[Scope]> {
        match self {
            Self::Nothing => None,
            Self::ReadUnlessPublic => (!is_public).then_some(&[Scope::Read]),
            Self::AnyOf(scopes) => Some(scopes),
        }
    }
}

/// An operation that does not say what it needs. The service does not start with one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path} declares no scope: give its handler extensions((\"x-scope\" = json!(\"…\")))")]
pub struct Undeclared {
    /// In capitals.
    pub method: String,
    /// The route's pattern.
    pub path: String,
}

/// What every operation needs, by path and method.
#[derive(Debug, Clone, Default)]
pub struct Needs(BTreeMap<String, BTreeMap<String, Need>>);

impl Needs {
    /// What a document declares. Every operation must.
    pub fn of(document: &Document) -> Result<Self, Undeclared> {
        // A document is made of texts and maps of texts: it always is JSON.
        let document = serde_json::to_value(document).unwrap_or_default();
        let mut needs = Self::default();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let operations = item.as_object().into_iter().flatten();
            for (method, operation) in operations.filter(|(name, _)| METHODS.contains(&name.as_str())) {
                let method = method.to_uppercase();
                let Some(need) = operation.get(EXTENSION).and_then(Need::parse) else {
                    return Err(Undeclared { method, path: path.clone() });
                };
                needs.0.entry(path.clone()).or_default().insert(method, need);
            }
        }
        Ok(needs)
    }

    /// Adds pages that are served without being in the document.
    #[must_use]
    pub fn with_pages(mut self, paths: &[&str]) -> Self {
        for path in paths {
            let methods = self.0.entry((*path).to_owned()).or_default();
            methods.insert(Method::GET.to_string(), Need::ReadUnlessPublic);
        }
        self
    }

    /// What is declared for a path; `None` if nothing is, and then nobody may.
    #[must_use]
    pub fn on(&self, path: &str) -> Option<Methods<'_>> {
        self.0.get(path).map(Methods)
    }
}

/// The operations of one path.
#[derive(Debug)]
pub struct Methods<'a>(&'a BTreeMap<String, Need>);

impl<'a> Methods<'a> {
    /// What a method needs. HEAD goes like GET.
    #[must_use]
    pub fn need(&self, method: &Method) -> Option<&'a Need> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.0.get(method.as_str())
    }

    /// The methods, as the `Allow` header names them.
    #[must_use]
    pub fn allow(&self) -> String {
        let head = self.0.contains_key(Method::GET.as_str()).then_some("HEAD");
        self.0.keys().map(String::as_str).chain(head).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa_axum::router::OpenApiRouter;
    use utoipa_axum::routes;

    use super::*;

    #[utoipa::path(get, path = "/open", extensions(("x-scope" = json!("none"))), responses((status = 200)))]
    async fn open() {}
    #[utoipa::path(put, path = "/open", extensions(("x-scope" = json!(["read", "hold"]))), responses((status = 200)))]
    async fn either() {}
    #[utoipa::path(delete, path = "/forgotten/{id}", responses((status = 200)))]
    async fn forgotten() {}
    #[utoipa::path(post, path = "/mistyped", extensions(("x-scope" = json!("raed"))), responses((status = 200)))]
    async fn mistyped() {}

    fn document(router: OpenApiRouter) -> Document {
        router.into_openapi()
    }

    #[test]
    fn a_route_without_a_scope_does_not_build() {
        let good = || OpenApiRouter::new().routes(routes!(open, either));
        assert!(Needs::of(&document(good())).is_ok());
        let refused = Needs::of(&document(good().routes(routes!(forgotten)))).unwrap_err();
        assert_eq!((refused.method.as_str(), refused.path.as_str()), ("DELETE", "/forgotten/{id}"));
        assert!(refused.to_string().starts_with("DELETE /forgotten/{id} declares no scope"), "{refused}");
        let refused = Needs::of(&document(good().routes(routes!(mistyped)))).unwrap_err();
        assert_eq!(refused.path, "/mistyped");
    }

    #[test]
    fn a_method_that_is_not_declared_needs_what_nobody_has() {
        let needs = Needs::of(&document(OpenApiRouter::new().routes(routes!(open, either)))).unwrap();
        let open = needs.on("/open").unwrap();
        assert_eq!(open.need(&Method::GET), Some(&Need::Nothing));
        assert_eq!(open.need(&Method::HEAD), Some(&Need::Nothing));
        let either = open.need(&Method::PUT).unwrap();
        assert_eq!(either.scopes(true), Some([Scope::Read, Scope::Hold].as_slice()));
        assert_eq!(open.need(&Method::DELETE), None);
        assert_eq!(open.allow(), "GET,PUT,HEAD");
        assert!(needs.on("/other").is_none());
    }

    #[test]
    fn words_are_a_closed_list() {
        for scope in Scope::ALL {
            assert_eq!(Need::parse(&json!(scope.as_str())), Some(Need::AnyOf(vec![scope])));
        }
        let page = Need::parse(&json!("read-unless-public")).unwrap();
        assert_eq!((page.scopes(true), page.scopes(false)), (None, Some([Scope::Read].as_slice())));
        for wrong in [
            json!(""),
            json!("*"),
            json!("READ"),
            json!([]),
            json!(["none"]),
            json!(["read", 1]),
            json!(null),
            json!(true),
        ] {
            assert_eq!(Need::parse(&wrong), None, "{wrong}");
        }
    }
}

//! `[store]`: where the journal lies.
//!
//! Only files are taken: a journal in memory would forget what was promised,
//! and what was sent, when the process ends. Knows the URL's form and nothing
//! of the journal itself. The URL is never repeated: others hold passwords.

use std::path::PathBuf;

use super::section::Section;

/// The journal's place.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The `SQLite` file; relative to the working directory.
    pub path: PathBuf,
    /// Go on with a journal that was restored or copied. For one start, so not a setting.
    pub accept_moved: bool,
}

pub(super) fn read(root: &mut Section<'_>) -> Option<StoreSettings> {
    let mut section = root.table("store")?;
    let path = section.need("url").parsed(sqlite_path);
    section.finish();
    Some(StoreSettings { path: path?, accept_moved: false })
}

fn sqlite_path(url: &str) -> Result<PathBuf, &'static str> {
    const FORMS: &str = "must be sqlite://relative/path.db or sqlite:///absolute/path.db";
    let (scheme, path) = url.split_once("://").ok_or(FORMS)?;
    match scheme {
        "sqlite" => {}
        "postgres" | "postgresql" => return Err("postgres:// is not served yet; use sqlite://"),
        _ => return Err(FORMS),
    }
    if path.contains(['?', '#', '%', '\0']) {
        return Err("must be a plain path after sqlite://, without ?, # or %");
    }
    if path.starts_with(':') {
        return Err("must be a file: a journal in memory would forget what was sent");
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(FORMS);
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_file() {
        let path = |url| sqlite_path(url).map(|path| path.display().to_string());
        assert_eq!(path("sqlite://data/vodrm.db"), Ok("data/vodrm.db".into()));
        assert_eq!(path("sqlite:///var/lib/vodrm.db"), Ok("/var/lib/vodrm.db".into()));
        assert!(path("postgres://u@h/db").is_err_and(|why| why.contains("is not served yet")));
        for bad in [
            "",
            "data.db",
            "sqlite:data.db",
            "sqlite://",
            "sqlite:///",
            "sqlite://:memory:",
            "sqlite://a?x=1",
            "mysql://h/db",
        ] {
            assert!(path(bad).is_err(), "{bad:?} was taken");
        }
    }
}

//! The three things of the house style that a test can hold.
//!
//! Imports point down, every file says what it is, and `openapi.yaml` lists the
//! words that the code has. Everything else is for readers to judge. Each check is
//! a pure function over text, shown here to fail on a bad sample as well. Paths
//! are found by a small lexer and not by the compiler: a name that came through a
//! re-export of an allowed layer is not seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vodrm::api::docs;
use vodrm::api::problem::CODES;
use vodrm::providers::registry::PROVIDERS;
use vodrm::types::outcome::LaneReason;
use vodrm::types::outcome::Reason;

/// The layers from the top down, and whom each may name beside itself.
const LAYERS: [(&str, &[&str]); 7] = [
    ("api", &["dispatch", "guard", "journal", "types"]),
    ("dispatch", &["guard", "journal", "providers", "types"]),
    ("guard", &["journal", "types"]),
    ("journal", &["types"]),
    ("providers", &["types"]),
    ("sandbox", &["types"]),
    ("types", &[]),
];

/// May name all; nobody names it.
const FRAME: [&str; 4] = ["app", "main", "settings", "telemetry"];

// ---- every source file ----

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Path below `src` and text of every source file, sorted.
fn sources() -> Vec<(PathBuf, String)> {
    let src = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path.strip_prefix(&src).expect("it is below src").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The folders in `providers`: one per vendor.
fn vendors(files: &[(PathBuf, String)]) -> BTreeSet<String> {
    let folder = |path: &Path| {
        let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        match parts.as_slice() {
            [layer, vendor, _, ..] if layer == "providers" => Some(vendor.clone()),
            _ => None,
        }
    };
    files.iter().filter_map(|(path, _)| folder(path)).collect()
}

/// `journal/sqlite/mod.rs` is the module `journal::sqlite`; `lib.rs` is the crate itself.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

// ---- 1. imports point down ----

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// Names, `::` and single signs; no comment, string, or character literal.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 1;
                i += 2;
                while i < chars.len() && depth > 0 {
                    let step = match (at(i), at(i + 1)) {
                        ('/', '*') => (1, 2),
                        ('*', '/') => (-1, 2),
                        _ => (0, 1),
                    };
                    depth += step.0;
                    i += step.1;
                }
            }
            '"' => i = after_string(&chars, i),
            // 'x' and '\n' are literals, 'a is a lifetime.
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            ':' if at(i + 1) == ':' => {
                found.push(Token { text: "::".to_owned(), line });
                i += 2;
            }
            c if is_name(c) => {
                while is_name(at(i)) {
                    i += 1;
                }
                let text: String = chars.iter().skip(start).take(i - start).collect();
                let hashes = chars.iter().skip(i).take_while(|&&c| c == '#').count();
                if matches!(text.as_str(), "r" | "br" | "cr") && at(i + hashes) == '"' {
                    let ends = |n: usize| at(n) == '"' && (1..=hashes).all(|h| at(n + h) == '#');
                    i += hashes + 1;
                    while i < chars.len() && !ends(i) {
                        i += 1;
                    }
                    i += hashes + 1;
                } else {
                    found.push(Token { text, line });
                }
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token { text: c.to_string(), line });
                }
                i += 1;
            }
        }
        line += chars.iter().skip(start).take(i - start).filter(|&&c| c == '\n').count();
    }
    found
}

/// The index behind the string literal that begins at `i`.
fn after_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while let Some(&c) = chars.get(i) {
        match c {
            '"' => return i + 1,
            '\\' => i += 2,
            _ => i += 1,
        }
    }
    i
}

/// A path of this crate that a file names, from the crate's root.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    path: Vec<String>,
    line: usize,
}

/// Every path that begins with `crate`, `self`, `super` or the crate's own name.
fn named(source: &str, module: &[String]) -> Vec<Named> {
    let tokens = tokens(source);
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // Depths at which the modules within this file opened.
    let (mut depth, mut opened) = (0, Vec::new());
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        let begins = text(i + 1) == "::" && (i == 0 || text(i - 1) != "::");
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if opened.last() == Some(&depth) {
                    opened.pop();
                    module.pop();
                }
            }
            "mod" if text(i + 2) == "{" => {
                module.push(text(i + 1).to_owned());
                opened.push(depth);
            }
            "crate" | "vodrm" if begins => {
                i = read_tree(&tokens, i + 2, &[], &mut found);
                continue;
            }
            "self" if begins => {
                i = read_tree(&tokens, i + 2, &module, &mut found);
                continue;
            }
            "super" if begins => {
                let mut base = module.clone();
                while text(i) == "super" && text(i + 1) == "::" {
                    base.pop();
                    i += 2;
                }
                i = read_tree(&tokens, i, &base, &mut found);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Reads what follows a `::`, groups in braces included; returns where it ends.
fn read_tree(tokens: &[Token], mut i: usize, base: &[String], found: &mut Vec<Named>) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let line = tokens.get(i).map_or(0, |token| token.line);
    if text(i) == "{" {
        i += 1;
        while !matches!(text(i), "}" | "") {
            i = read_tree(tokens, i, base, found);
            // An `as name` is not ours to read.
            while !matches!(text(i), "," | "}" | "") {
                i += 1;
            }
            if text(i) == "," {
                i += 1;
            }
        }
        return i + 1;
    }
    let mut path = base.to_vec();
    let is_name = text(i).starts_with(|c: char| c.is_alphabetic() || c == '_');
    // `use a::{self}` and `use a::*` name a; `a::<T>` ends at a.
    if is_name && text(i) != "self" {
        path.push(text(i).to_owned());
        if text(i + 1) == "::" {
            return read_tree(tokens, i + 2, &path, found);
        }
    }
    found.push(Named { path, line });
    if is_name || text(i) == "*" { i + 1 } else { i }
}

/// Why the module `from` may not name `to`, if it may not.
fn breach(from: &[String], to: &[String], vendors: &BTreeSet<String>) -> Option<String> {
    let part = |path: &[String], n: usize| path.get(n).map_or(String::new(), String::clone);
    let (own, other) = (part(from, 0), part(to, 0));
    let Some((_, may)) = LAYERS.iter().find(|(layer, _)| *layer == own) else {
        let known = own.is_empty() || FRAME.contains(&own.as_str());
        return (!known).then(|| format!("{own} is no layer"));
    };
    if other.is_empty() {
        return None;
    }
    if FRAME.contains(&other.as_str()) {
        return Some(format!("{own} names the frame"));
    }
    let names_vendor = other == "providers" && vendors.contains(&part(to, 1));
    let is_sandbox = own == "providers" && part(from, 2) == "sandbox";
    if own != other {
        if is_sandbox && other == "sandbox" {
            return None;
        }
        if own == "providers" && other == "sandbox" {
            return Some("only a vendor's simulator may name the kit".to_owned());
        }
        if !may.contains(&other.as_str()) {
            return Some(format!("{own} may not name {other}"));
        }
        return names_vendor.then(|| format!("{own} names a vendor"));
    }
    if !names_vendor || !vendors.contains(&part(from, 1)) {
        return None;
    }
    if part(from, 1) != part(to, 1) {
        return Some("a vendor names another vendor".to_owned());
    }
    let client = part(to, 2);
    (is_sandbox && !client.is_empty() && client != "sandbox")
        .then(|| format!("a simulator names {client}, which is its vendor's client"))
}

#[test]
fn imports_point_down() {
    let files = sources();
    let vendors = vendors(&files);
    assert!(files.len() > 100 && vendors.len() > 1, "{} files, vendors {vendors:?}", files.len());
    let mut paths = 0;
    let mut breaches = Vec::new();
    for (file, text) in &files {
        let module = module_of(file);
        for name in named(text, &module) {
            paths += 1;
            let Some(why) = breach(&module, &name.path, &vendors) else { continue };
            let (file, to) = (file.display(), name.path.join("::"));
            breaches.push(format!("src/{file}:{}: {why} ({to})", name.line));
        }
    }
    assert!(paths > 500, "only {paths} paths were read");
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[cfg(test)]
mod the_check_of_imports {
    use super::*;

    fn breaches(file: &str, source: &str) -> Vec<String> {
        let vendors = ["alibaba", "tencent"].map(str::to_owned).into();
        let module = module_of(Path::new(file));
        named(source, &module).iter().filter_map(|name| breach(&module, &name.path, &vendors)).collect()
    }

    #[test]
    fn refuses_what_points_up_or_aside() {
        for (file, source, why) in [
            ("journal/mod.rs", "use crate::api::problem::Problem;", "journal may not name api"),
            (
                "types/a.rs",
                "use std::fmt;\nuse crate::{journal::Error, types::B};",
                "types may not name journal",
            ),
            ("types/a.rs", "use super::super::guard;", "types may not name guard"),
            ("api/mod.rs", "use crate::sandbox::Kit;", "api may not name sandbox"),
            ("dispatch/lane.rs", "fn f() -> crate::settings::S {}", "dispatch names the frame"),
            ("dispatch/lane.rs", "use crate::providers::alibaba::NAME;", "dispatch names a vendor"),
            ("providers/mod.rs", "use crate::sandbox::Kit;", "only a vendor's simulator may name the kit"),
            ("providers/tencent/wire.rs", "use super::super::alibaba::X;", "a vendor names another vendor"),
            (
                "providers/tencent/tests.rs",
                "mod a { use super::super::super::alibaba; }",
                "a vendor names another vendor",
            ),
            (
                "providers/tencent/sandbox/verify.rs",
                "use super::super::sign::sign;",
                "a simulator names sign, which is its vendor's client",
            ),
            (
                "providers/tencent/sandbox/mod.rs",
                "use crate::providers::tencent::{sandbox::seed, wire};",
                "a simulator names wire, which is its vendor's client",
            ),
            ("util/mod.rs", "use crate::types::X;", "util is no layer"),
        ] {
            assert_eq!(breaches(file, source), [why], "{file}: {source}");
        }
    }

    #[test]
    fn lets_pass_what_points_down() {
        for (file, source) in [
            ("api/mod.rs", "use crate::dispatch::{self, submit::{submit as go, Error}};"),
            ("app/service.rs", "use crate::{api, providers::alibaba, settings::Settings};"),
            ("main.rs", "use vodrm::app::cli;"),
            ("lib.rs", "pub mod api;"),
            ("providers/alibaba/sandbox/mod.rs", "use crate::sandbox::Kit; use super::sandbox::seed;"),
            ("providers/registry.rs", "use super::{alibaba, tencent};"),
            (
                "types/a.rs",
                "// use crate::api;\n/* crate::api /* crate::api */ */ const A: &str = \"crate::api\";",
            ),
            ("types/a.rs", "const A: &str = r#\"\" crate::api\"#; const B: char = '\"'; fn f<'a>() {}"),
            ("types/a.rs", "mod tests { use super::*; fn f() { super::g(); self::h() } }"),
        ] {
            assert!(breaches(file, source).is_empty(), "{file}: {source}: {:?}", breaches(file, source));
        }
    }

    #[test]
    fn knows_the_line() {
        let source = "/* a\n b */\nconst S: &str = \"\n\";\nuse crate::{\n    api::X,\n};\n";
        let line = named(source, &["types".to_owned()]).first().map(|name| name.line);
        assert_eq!(line, Some(6));
    }
}

// ---- 2. every file says what it is ----

/// Whether a file opens with what it is. The crate's own page is a file beside it.
fn says_what_it_is(source: &str) -> bool {
    let first = source.lines().next().unwrap_or_default();
    first.strip_prefix("//! ").is_some_and(|text| !text.trim().is_empty())
        || first.starts_with("#![doc = include_str!(")
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !says_what_it_is(text)).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "these do not open with `//! `: {silent:?}");
    assert!(says_what_it_is("//! The words.\n") && says_what_it_is("#![doc = include_str!(\"A.md\")]"));
    for silent in ["", "//!\n", "// The words.\n", "use a;\n//! The words.\n", "/// The words.\n"] {
        assert!(!says_what_it_is(silent), "{silent:?}");
    }
}

// ---- 3. openapi.yaml lists the words of the code ----

/// What a property of a schema is limited to, `null` left out; none if it is free.
fn listed(document: &Value, schema: &str, property: &str) -> Option<Vec<String>> {
    fn words(document: &Value, value: &Value) -> Option<Vec<String>> {
        if let Some(name) = value.get("$ref").and_then(Value::as_str) {
            return words(document, document.pointer(name.strip_prefix('#')?)?);
        }
        if let Some(list) = value.get("enum").and_then(Value::as_array) {
            return Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|key| value.get(key).and_then(Value::as_array))
            .flatten()
            .find_map(|value| words(document, value))
    }
    words(document, document.pointer(&format!("/components/schemas/{schema}/properties/{property}"))?)
}

/// Why a list of the document is not the list of the code.
fn differ(what: &str, listed: &[String], code: &[&str]) -> Option<String> {
    let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    let code: BTreeSet<&str> = code.iter().copied().collect();
    let only =
        |a: &BTreeSet<&str>, b: &BTreeSet<&str>| a.difference(b).copied().collect::<Vec<_>>().join(", ");
    (listed != code).then(|| {
        format!("{what}: only listed [{}], only in the code [{}]", only(&listed, &code), only(&code, &listed))
    })
}

/// Status and code of every problem that a response of the document names.
fn problems_of(document: &Value) -> BTreeSet<(String, String)> {
    let methods =
        document["paths"].as_object().into_iter().flatten().filter_map(|(_, path)| path.as_object());
    let responses = methods
        .flatten()
        .filter_map(|(_, operation)| operation.get("responses").and_then(Value::as_object))
        .flatten()
        .filter(|(_, response)| response.pointer("/content/application~1problem+json").is_some());
    let mut found = BTreeSet::new();
    for (status, response) in responses {
        let description = response["description"].as_str().unwrap_or_default();
        // A range names each of its statuses with its codes: `408: …; 413: …`.
        let parts = description.split("; ").map(|part| match part.split_once(": ") {
            Some((status, codes)) if status.len() == 3 => (status, codes),
            _ => (status.as_str(), part),
        });
        for (status, codes) in parts {
            // Every second piece stands between backticks.
            found
                .extend(codes.split('`').skip(1).step_by(2).map(|code| (status.to_owned(), code.to_owned())));
        }
    }
    found
}

/// Problems that are listed for a status which the code does not give them.
fn unknown_problems(document: &Value, codes: &[(&str, u16, &str, bool)]) -> Vec<(String, String)> {
    let known = |status: &str, code: &str| {
        codes.iter().any(|(own, number, ..)| *own == code && number.to_string() == status)
    };
    problems_of(document).into_iter().filter(|(status, code)| !known(status, code)).collect()
}

#[test]
fn the_contract_lists_the_words_of_the_code() {
    // The file is compared as text, so that what is read below is what it says.
    let file = fs::read_to_string(root().join("openapi.yaml")).expect("openapi.yaml is there");
    assert!(
        docs::yaml().is_ok_and(|made| made == file),
        "openapi.yaml is behind the handlers: run `cargo run -- openapi > openapi.yaml`"
    );
    let document = serde_json::to_value(docs::document()).expect("a document is JSON");

    assert!(problems_of(&document).len() > 20, "only {:?}", problems_of(&document));
    assert_eq!(unknown_problems(&document, CODES), [], "no such problem has this status");

    let reasons = Reason::ALL.map(Reason::as_str);
    let lane_reasons = LaneReason::ALL.map(LaneReason::as_str);
    let providers: Vec<&str> = PROVIDERS.iter().map(|listed| listed.name).collect();
    let codes: Vec<&str> = CODES.iter().map(|(code, ..)| *code).collect();
    for (schema, property, code) in [
        ("ItemError", "code", reasons.as_slice()),
        ("Account", "provider", &providers),
        ("Account", "reason", &lane_reasons),
        ("Lane", "reason", &lane_reasons),
        ("Problem", "code", &codes),
    ] {
        let what = format!("{schema}.{property}");
        let list = listed(&document, schema, property);
        let list = list.unwrap_or_else(|| panic!("{what} is no list of words"));
        assert_eq!(differ(&what, &list, code), None);
    }
}

#[test]
fn a_contract_that_lists_other_words_is_refused() {
    let document = serde_json::json!({
        "paths": {"/v1/a": {"get": {"responses": {
            "200": {"description": "`fine`"},
            "404": {"description": "`not_found`, `invalid`", "content": {"application/problem+json": {}}},
            "4XX": {"description": "413: `large`; 422: `invalid`", "content": {"application/problem+json": {}}},
        }}}},
        "components": {"schemas": {"Lane": {"properties": {
            "reason": {"oneOf": [{"$ref": "#/components/schemas/Word"}, {"type": "null"}]},
            "free": {"type": "string"},
        }}, "Word": {"type": "string", "enum": ["a", "b"]}}},
    });
    let codes = [("not_found", 404, "", false), ("invalid", 422, "", false)];
    let unknown = [("404", "invalid"), ("413", "large")].map(|(s, c)| (s.to_owned(), c.to_owned()));
    assert_eq!(unknown_problems(&document, &codes), unknown);
    let reasons = listed(&document, "Lane", "reason").unwrap();
    assert_eq!(differ("r", &reasons, &["b", "a"]), None);
    assert_eq!(
        differ("r", &reasons, &["b", "c"]),
        Some("r: only listed [a], only in the code [c]".to_owned())
    );
    assert_eq!(listed(&document, "Lane", "free"), None);
}

//! The control endpoints that every simulator answers beside the vendor's own API.
//!
//! `GET ledger` (NDJSON, `?after=SEQ`), `GET assets`, `GET|PUT faults`, `GET|PUT options`,
//! `POST reset`, all under `/_sandbox/`. They carry no key: a simulator holds nothing of worth
//! and is meant for loopback. Nothing here writes a ledger row.

use http::Method;
use serde_json::{Value, json};

use super::{AllOptions, FaultRule, Inner, Received, Reply, overlay, script};

pub(super) fn answer(inner: &Inner, request: &Received) -> Reply {
    let what = request.path().trim_start_matches("/_sandbox/");
    match (what, &request.method) {
        ("ledger", &Method::GET) => ledger(inner, request.query()),
        ("assets", &Method::GET) => Reply::json(200, &inner.vendor.assets()),
        ("faults", &Method::GET) => shown(&inner.faults.rules()),
        ("faults", &Method::PUT) => match set_faults(inner, &request.body) {
            Ok(()) => shown(&inner.faults.rules()),
            Err(why) => refused(400, &why),
        },
        ("options", &Method::GET) => options(inner),
        ("options", &Method::PUT) => match set_options(inner, &request.body) {
            Ok(()) => options(inner),
            Err(why) => refused(400, &why),
        },
        ("reset", &Method::POST) => {
            inner.reset();
            Reply::json(200, &json!({"reset": inner.vendor.name()}))
        }
        ("ledger" | "assets" | "faults" | "options" | "reset", _) => {
            refused(405, "this endpoint does not take that method")
        }
        _ => refused(404, "no such endpoint; there are ledger, assets, faults, options, reset"),
    }
}

fn refused(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({"error": why}))
}

fn shown<T: serde::Serialize>(value: &T) -> Reply {
    match serde_json::to_value(value) {
        Ok(value) => Reply::json(200, &value),
        Err(error) => refused(500, &error.to_string()),
    }
}

fn ledger(inner: &Inner, query: &str) -> Reply {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).unwrap_or("0");
    let Ok(after) = after.parse() else {
        return refused(400, "after is the seq of the last row you have");
    };
    let mut lines = Vec::new();
    for row in inner.ledger.rows(after) {
        if let Err(error) = serde_json::to_writer(&mut lines, &row) {
            return refused(500, &error.to_string());
        }
        lines.push(b'\n');
    }
    Reply::new(200, "application/x-ndjson", lines)
        .with_header("x-sandbox-total", inner.ledger.total().to_string())
        .with_header("x-sandbox-dropped", inner.ledger.dropped().to_string())
}

fn set_faults(inner: &Inner, body: &[u8]) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let rules: Vec<FaultRule> = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| format!("faults are a JSON array of rules: {error}"))?;
    reader.end().map_err(|error| error.to_string())?;
    script::check(&rules)?;
    inner.faults.replace(rules);
    Ok(())
}

fn options(inner: &Inner) -> Reply {
    shown(&AllOptions { kit: &inner.options(), vendor: inner.vendor.options() })
}

/// Switches of the kit stand at the top, the vendor's under `vendor`.
fn set_options(inner: &Inner, body: &[u8]) -> Result<(), String> {
    let mut patch: Value =
        serde_json::from_slice(body).map_err(|error| format!("options are JSON: {error}"))?;
    let vendor = patch.as_object_mut().and_then(|object| object.remove("vendor"));
    let kit = overlay(&*inner.options(), &patch)?;
    if let Some(vendor) = vendor {
        inner.vendor.set_options(&vendor).map_err(|why| format!("vendor: {why}"))?;
    }
    inner.set_options(kit);
    Ok(())
}

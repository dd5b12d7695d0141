//! `DeleteMedia`: what a call selects, what it takes, and what it answers.
//!
//! Its own file because it is what the simulator is for, and because its page leaves most open: the code for a
//! missing file, a second delete, an absent part, a busy file. Each of those is a switch; each effect is told
//! to the ledger with its type and definition, what came to nothing included.
//!
//! Does not know signatures, limits or envelopes; which parts a choice takes is in `media`.

use serde_json::{Map, Value};

use super::envelope::Refusal;
use super::fields::Arguments;
use super::library::{Care, Untaken};
use super::media::{Choice, Part, PartKind};
use super::operations::{Bench, Done, MAX_FILE_ID, Refused, application};
use super::options::{AbsentPart, Options, SecondDelete};
use crate::sandbox::Effect;

pub(super) fn delete_media(bench: Bench<'_>, arguments: &Arguments) -> Result<Done, Refused> {
    let file_id = arguments.text("FileId").unwrap_or_default();
    if file_id.is_empty() || file_id.len() > MAX_FILE_ID {
        return Err(Refusal::new("InvalidParameterValue.FileId", "FileId is invalid.").into());
    }
    let choices = choices(bench.options, arguments)?;
    let application = application(bench.options, arguments)?;
    let options = bench.options;
    let care = Care {
        busy: options.busy.code().is_some(),
        parts: options.absent_part == AbsentPart::ResourceNotFound,
        shown_until_ms: bench.now_ms + i64::from(options.read_delay_ms),
    };
    let taken = application
        .ok_or(Untaken::Unknown)
        .and_then(|application| bench.library.delete(application, file_id, &choices, care));
    match taken {
        Ok(_) if choices.is_empty() => Ok(only(vec![Effect::whole(file_id, true)])),
        Ok(parts) => Ok(only(part_effects(file_id, &choices, &parts))),
        Err(Untaken::Gone) if options.second_delete == SecondDelete::Ok => {
            Ok(only(in_vain(file_id, &choices)))
        }
        Err(untaken) => {
            let code = match untaken {
                Untaken::Unknown | Untaken::Gone => options.not_found_code.code(),
                Untaken::PartMissing => "ResourceNotFound",
                Untaken::Locked => "UnauthorizedOperation",
                Untaken::Busy => options.busy.code().unwrap_or("ResourceInUse"),
            };
            // Refused things were not looked at; missing ones were asked for and came to nothing.
            let effects = match untaken {
                Untaken::Unknown | Untaken::Gone | Untaken::PartMissing => in_vain(file_id, &choices),
                Untaken::Locked | Untaken::Busy => Vec::new(),
            };
            let message = "The media cannot be deleted.";
            Err(Refused { refusal: Refusal::new(code, message), effects })
        }
    }
}

/// Reads `DeleteParts`. Absent and `[]` are the same: everything. All items are checked before any effect.
fn choices(options: &Options, arguments: &Arguments) -> Result<Vec<Choice>, Refusal> {
    let bad_type = |message: &str| Refusal::new("InvalidParameterValue.Type", message);
    let one = |item: &Value| {
        let name = item.get("Type").and_then(Value::as_str);
        // "an item without Type is invalid"; the page names no code, this one is in the VOD list.
        let name = name.ok_or_else(|| bad_type("An item of DeleteParts has no Type."))?;
        let kind = PartKind::named(name).filter(|kind| options.mps_parts || !kind.is_mps());
        let kind = kind.ok_or_else(|| bad_type("The Type of an item of DeleteParts is unknown."))?;
        let definition = item.get("Definition").and_then(Value::as_i64).unwrap_or(0);
        if definition < 0 {
            let message = "The Definition of an item of DeleteParts is negative.";
            return Err(Refusal::new("InvalidParameterValue.Definition", message));
        }
        // "absent or 0 = all of that type".
        Ok(Choice { kind, definition: (definition != 0).then_some(definition) })
    };
    arguments.objects("DeleteParts").iter().map(one).collect()
}

/// `TranscodeFiles:100010`, and `#2` when that definition was made a second time.
fn part_effects(file_id: &str, choices: &[Choice], taken: &[Part]) -> Vec<Effect> {
    let effective = taken.iter().map(|part| {
        let again = match part.generation {
            1 => String::new(),
            n => format!("#{n}"),
        };
        let name = format!("{}:{}{again}", part.kind.name(), part.definition);
        Effect::part(file_id, name, true)
    });
    let empty = choices.iter().filter(|choice| !taken.iter().any(|part| choice.takes(part)));
    effective.chain(empty.map(|choice| asked(file_id, *choice))).collect()
}

fn in_vain(file_id: &str, choices: &[Choice]) -> Vec<Effect> {
    if choices.is_empty() {
        return vec![Effect::whole(file_id, false)];
    }
    choices.iter().map(|choice| asked(file_id, *choice)).collect()
}

fn asked(file_id: &str, choice: Choice) -> Effect {
    let name = format!("{}:{}", choice.kind.name(), choice.definition.unwrap_or(0));
    Effect::part(file_id, name, false)
}

fn only(effects: Vec<Effect>) -> Done {
    Done { fields: Map::new(), effects }
}

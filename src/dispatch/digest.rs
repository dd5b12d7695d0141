//! What a deletion asks for, in one number. Pure.
//!
//! SHA-256 over the options, then one line an item, in input order: account,
//! kind, form of the name, name, selectors in normal order. No field holds a
//! space or a line's end (their alphabets are in `types/target.rs`), so no two
//! lists have the same text. Fed item by item: a million need no memory.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::types::deletion::{Digest, IfAbsent};
use crate::types::target::{Renditions, Selector, Snapshots, Target, What};

/// The line of an item that could not be read.
const UNREADABLE: &str = "-\n";

/// A digest under way.
#[derive(Debug, Clone)]
pub struct Digester {
    hash: Sha256,
    line: String,
}

impl Digester {
    /// Begins with the options.
    #[must_use]
    pub fn new(if_absent: IfAbsent) -> Self {
        let mut hash = Sha256::new();
        hash.update(match if_absent {
            IfAbsent::Ok => b"if_absent=ok\n".as_slice(),
            IfAbsent::Error => b"if_absent=error\n".as_slice(),
        });
        Self { hash, line: String::with_capacity(128) }
    }

    /// The next item; `None` is a line that could not be read.
    pub fn add(&mut self, target: Option<&Target>) {
        self.line.clear();
        match target {
            Some(target) => write_line(&mut self.line, target),
            None => self.line.push_str(UNREADABLE),
        }
        self.hash.update(self.line.as_bytes());
    }

    /// The number.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.hash.finalize().into())
    }
}

fn write_line(line: &mut String, target: &Target) {
    for word in [target.account.as_str(), target.kind().as_str(), target.name.form(), target.name.as_str()] {
        line.push_str(word);
        line.push(' ');
    }
    match &target.what {
        What::Media | What::Image | What::AttachedMedia => {}
        What::Source { force } => line.push_str(if *force { "force" } else { "keep" }),
        What::Renditions(Renditions::All) | What::Snapshots(Snapshots::All) => line.push_str("all"),
        // Only these have an order to be made normal.
        What::Renditions(Renditions::Some { .. }) | What::Snapshots(Snapshots::Types(_)) => {
            write_selectors(line, &target.identity().what);
        }
    }
    line.push('\n');
}

fn write_selectors(line: &mut String, what: &What) {
    match what {
        What::Renditions(Renditions::Some { definitions, job_ids, family }) => {
            write_list(line, "definitions=", definitions.iter().map(Selector::as_str));
            write_list(line, "job_ids=", job_ids.iter().map(Selector::as_str));
            write_list(line, "family=", family.iter().map(|family| family.as_str()));
        }
        What::Snapshots(Snapshots::Types(types)) => {
            write_list(line, "types=", types.iter().map(|kind| kind.as_str()));
        }
        What::Media
        | What::Source { .. }
        | What::Renditions(Renditions::All)
        | What::Snapshots(Snapshots::All)
        | What::Image
        | What::AttachedMedia => {}
    }
}

fn write_list<'a>(line: &mut String, name: &str, words: impl Iterator<Item = &'a str>) {
    let mut words = words.peekable();
    if words.peek().is_none() {
        return;
    }
    line.push_str(name);
    for word in words {
        // Writing to a String cannot fail.
        let _written = write!(line, "{word},");
    }
    line.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::target::{AccountId, Name, SnapshotType};

    fn target(form: &str, name: &str, what: What) -> Target {
        let account = AccountId::parse("media-cn").unwrap();
        Target { account, name: Name::parse(form, name).unwrap(), what }
    }

    fn digest(targets: &[Option<Target>]) -> String {
        let mut digester = Digester::new(IfAbsent::Ok);
        for target in targets {
            digester.add(target.as_ref());
        }
        digester.finish().to_string()
    }

    fn some(definitions: &[&str], job_ids: &[&str]) -> What {
        let parse = |list: &[&str]| list.iter().map(|word| Selector::parse(word).unwrap()).collect();
        What::Renditions(Renditions::Some {
            definitions: parse(definitions),
            job_ids: parse(job_ids),
            family: None,
        })
    }

    /// `printf 'if_absent=ok\nmedia-cn media id v1 \nmedia-cn source id v1 keep\n' | sha256sum`
    #[test]
    fn it_is_what_a_shell_makes_of_the_same_lines() {
        let targets =
            [Some(target("id", "v1", What::Media)), Some(target("id", "v1", What::Source { force: false }))];
        assert_eq!(digest(&targets), "989c9c82b0962cf1021c170bb2c5310e2b12734c0b3588dcee30bc6c1c1ec9ef");
    }

    #[test]
    fn the_order_of_selectors_does_not_count_and_all_else_does() {
        let one = |what| digest(&[Some(target("id", "abcdef", what))]);
        assert_eq!(one(some(&["HD", "SD"], &[])), one(some(&["SD", "HD"], &[])));
        let types = |list: Vec<SnapshotType>| What::Snapshots(Snapshots::Types(list));
        assert_eq!(
            one(types(vec![SnapshotType::Cover, SnapshotType::Sprite])),
            one(types(vec![SnapshotType::Sprite, SnapshotType::Cover]))
        );
        let all = [
            one(What::Media),
            one(What::Image),
            one(What::AttachedMedia),
            one(What::Source { force: true }),
            one(What::Source { force: false }),
            one(some(&["HD"], &[])),
            one(some(&[], &["HD"])),
            one(some(&["HD", "SD"], &[])),
            one(What::Renditions(Renditions::All)),
            one(What::Snapshots(Snapshots::All)),
            one(types(vec![SnapshotType::Cover])),
            digest(&[Some(target("reference_id", "abcdef", What::Media))]),
            digest(&[Some(target("id", "abcdef", What::Media)), None]),
            digest(&[None, Some(target("id", "abcdef", What::Media))]),
            Digester::new(IfAbsent::Error).finish().to_string(),
            Digester::new(IfAbsent::Ok).finish().to_string(),
        ];
        let different: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}

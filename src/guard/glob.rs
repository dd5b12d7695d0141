//! Patterns over names: `*` is any run of characters, `?` is one.
//!
//! Written by hand because names have a small alphabet and no other rule is
//! wanted: no classes, no braces, no escape. Linear in pattern times name even
//! for hostile patterns, since at most the last `*` is ever tried again.

use std::fmt;

use crate::types::target::MAX_NAME_LEN;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

/// A text that is no pattern. It is not repeated in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 _ - * ?")]
pub struct BadGlob;

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadGlob> {
        let fits = (1..=MAX_NAME_LEN).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-*?".contains(&b)) {
            Ok(Self(text.into()))
        } else {
            Err(BadGlob)
        }
    }

    /// Whether every name fits.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.bytes().all(|b| b == b'*')
    }

    /// Whether the whole name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Behind the last star, and where in the name its run ends for now.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(&letter) = name.get(n) {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, n));
                }
                Some(&want) if want == b'?' || want == letter => (p, n) = (p + 1, n + 1),
                _ => {
                    let Some((behind, end)) = retry else {
                        return false;
                    };
                    retry = Some((behind, end + 1));
                    (p, n) = (behind, end + 1);
                }
            }
        }
        pattern.get(p..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn stars_and_question_marks_match_as_documented() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "anything", true),
            ("media-*", "media-cn", true),
            ("media-*", "media-", true),
            ("media-*", "media", false),
            ("media-*", "my-media-cn", false),
            ("media-??", "media-cn", true),
            ("media-??", "media-intl", false),
            ("*-cn", "media-cn", true),
            ("*-cn", "media-cn-2", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("Media", "media", false),
            ("**", "x", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} on {name:?}");
        }
    }

    #[test]
    fn a_pattern_is_of_the_alphabet_of_names() {
        for bad in ["", "a b", "a/b", "[a]", "ä", &"x".repeat(65)] {
            assert_eq!(Glob::parse(bad), Err(BadGlob), "{bad:?} was taken");
        }
    }

    /// The definition, without any cleverness.
    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => by_definition(rest, name),
            (Some((b'*', rest)), Some((_, tail))) => {
                by_definition(rest, name) || by_definition(pattern, tail)
            }
            (Some((want, rest)), Some((letter, tail))) => {
                (*want == b'?' || want == letter) && by_definition(rest, tail)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[ab*?]{1,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &name), by_definition(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn a_name_matches_itself_and_no_longer_one(name in "[A-Za-z0-9_-]{1,63}") {
            prop_assert!(matches(&name, &name));
            let longer = format!("{name}x");
            prop_assert!(!matches(&name, &longer));
            let begins = format!("{name}*");
            prop_assert!(matches(&begins, &longer));
        }
    }
}

//! Bytes become lines, however they are cut on their way.
//!
//! Holds at most one line, of bounded length. A line ends with LF or CRLF, the
//! last one also with the body; a byte order mark before the first is dropped.
//! What a line says is not known here.

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One line of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it, without its end.
    Whole(&'a [u8]),
    /// It is longer than allowed; nothing of it was kept.
    TooLong,
}

/// Cuts chunks into lines.
#[derive(Debug)]
pub(super) struct Splitter {
    longest: usize,
    number: u64,
    /// The beginning of a line whose end is in a later chunk.
    kept: Vec<u8>,
    /// What is kept was handed out as a line.
    is_spent: bool,
    /// The line at hand is too long already.
    is_too_long: bool,
}

impl Splitter {
    /// Lines of at most so many bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self { longest, number: 0, kept: Vec::new(), is_spent: false, is_too_long: false }
    }

    /// The next line that ends in this chunk, which loses what was read of it, and its number from 1.
    pub(super) fn next<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Option<(u64, Line<'a>)> {
        if std::mem::take(&mut self.is_spent) {
            self.kept.clear();
        }
        let bytes = *chunk;
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            *chunk = &[];
            self.keep(bytes);
            return None;
        };
        let (head, rest) = bytes.split_at(end);
        *chunk = rest.get(1..).unwrap_or_default();
        if self.kept.is_empty() && !self.is_too_long {
            self.number += 1;
            return Some((self.number, measured(head, self.number, self.longest)));
        }
        self.keep(head);
        Some(self.line_of_kept())
    }

    /// The line that the body's end ends, if there is one.
    pub(super) fn last(&mut self) -> Option<(u64, Line<'_>)> {
        if std::mem::take(&mut self.is_spent) {
            self.kept.clear();
        }
        (self.is_too_long || !self.kept.is_empty()).then(|| self.line_of_kept())
    }

    fn keep(&mut self, bytes: &[u8]) {
        // Its CR and the mark before it do not count: a line is measured when it is whole.
        let most = self.longest + BYTE_ORDER_MARK.len() + 1;
        if self.is_too_long || self.kept.len() + bytes.len() > most {
            self.is_too_long = true;
            self.kept.clear();
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }

    fn line_of_kept(&mut self) -> (u64, Line<'_>) {
        self.is_spent = true;
        self.number += 1;
        if std::mem::take(&mut self.is_too_long) {
            return (self.number, Line::TooLong);
        }
        (self.number, measured(&self.kept, self.number, self.longest))
    }
}

fn measured(bytes: &[u8], number: u64, longest: usize) -> Line<'_> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let bytes = if number == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
    if bytes.len() > longest { Line::TooLong } else { Line::Whole(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every line of a body that comes in these chunks, `None` for one that is too long.
    fn split(chunks: &[&[u8]], longest: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut splitter = Splitter::new(longest);
        let mut lines = Vec::new();
        let own = |line: Line<'_>| match line {
            Line::Whole(bytes) => Some(bytes.to_vec()),
            Line::TooLong => None,
        };
        for chunk in chunks {
            let mut rest = *chunk;
            while let Some((number, line)) = splitter.next(&mut rest) {
                lines.push((number, own(line)));
            }
            assert!(rest.is_empty() && splitter.kept.len() <= longest + 4, "bounded");
        }
        if let Some((number, line)) = splitter.last() {
            lines.push((number, own(line)));
        }
        lines
    }

    #[test]
    fn lines_end_as_texts_do() {
        let texts = |body: &[u8]| -> Vec<String> {
            let lines = split(&[body], 10).into_iter();
            lines.map(|(_, line)| line.map_or("-".into(), |l| String::from_utf8(l).unwrap())).collect()
        };
        assert_eq!(texts(b"\xEF\xBB\xBFa\r\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(texts(b""), [""; 0]);
        assert_eq!(texts(b"\n"), [""]);
        assert_eq!(texts(b"0123456789\r\n0123456789a\nx"), ["0123456789", "-", "x"]);
        assert_eq!(texts(b"\xEF\xBB\xBF0123456789\r\n\xEF\xBB\xBFa"), ["0123456789", "\u{feff}a"]);
        assert_eq!(texts(&[b'x'; 1_000]), ["-"]);
    }

    proptest! {
        #[test]
        fn where_chunks_are_cut_does_not_matter(
            body in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xEF), Just(0xBB), Just(0xBF)], 0..60),
            cuts in proptest::collection::vec(0_usize..60, 0..8),
        ) {
            let whole = split(&[&body], 8);
            let one_by_one: Vec<&[u8]> = body.chunks(1).collect();
            prop_assert_eq!(&split(&one_by_one, 8), &whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            cuts.push(body.len());
            let mut from = 0;
            let mut chunks = Vec::new();
            for cut in cuts {
                chunks.push(&body[from..cut]);
                from = cut;
            }
            prop_assert_eq!(&split(&chunks, 8), &whole);
            prop_assert!(whole.iter().zip(1..).all(|((number, _), n)| *number == n));
        }
    }
}

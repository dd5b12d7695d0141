//! Durations as people write them: `500ms`, `90s`, `15m`, `24h`, `7d`.
//!
//! One function, so that a duration means the same wherever it is written. One
//! whole number and one unit: `1h30m` and `1.5h` are refused, since guessing at
//! a waiting time before a delete is worse than asking.

use std::time::Duration;

/// The longest duration: longer than anything here waits or is kept, and short
/// enough that adding it to any time cannot overflow.
pub const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A text that is no duration. It is not repeated in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as 500ms, 90s, 15m, 24h or 7d, and at most 366d")]
pub struct BadDuration;

/// Reads a duration.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(BadDuration)?;
    let (digits, unit) = text.split_at_checked(split).ok_or(BadDuration)?;
    let number = digits.parse::<u64>().map_err(|_| BadDuration)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(BadDuration),
    };
    let duration = number.checked_mul(unit_ms).map(Duration::from_millis).ok_or(BadDuration)?;
    if duration <= LONGEST { Ok(duration) } else { Err(BadDuration) }
}

/// Writes a duration so that [`parse`] reads it back; parts of a millisecond go.
#[must_use]
pub fn show(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    // Below two of a unit the smaller one reads better: 24h, 90s.
    match units.into_iter().find(|&(unit, _)| ms.is_multiple_of(unit) && ms >= 2 * unit) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_one_number_and_one_unit() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("366d", 366 * 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in [
            "",
            "s",
            "10",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            " 1s",
            "1 s",
            "1S",
            "1y",
            "367d",
            "99999999999999999d",
            "٣s",
        ] {
            assert_eq!(parse(bad), Err(BadDuration), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_shown_duration_reads_back() {
        for text in ["0s", "500ms", "1s", "90s", "15m", "24h", "7d", "1500ms"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}

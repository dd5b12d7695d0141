//! `Accept`: which of the forms that we have the caller likes best.
//!
//! Its own file because it is a small rule of HTTP (RFC 9110, 12.5.1) and knows
//! nothing of ours: the most specific range that fits a form says how much it is
//! liked, and of equally liked ones our first wins.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use super::problem::Problem;

/// One range, and how much what fits it is liked, in thousandths.
struct Range {
    kind: String,
    liked: u16,
}

/// The offer that the caller likes best; 406 if it takes none.
pub fn choose(headers: &HeaderMap, offers: &[&'static str]) -> Result<&'static str, Problem> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = values.flat_map(|value| value.split(',')).filter_map(range).collect();
    let first = offers.first().copied();
    if ranges.is_empty() {
        return first.ok_or_else(|| none_of(offers));
    }
    let mut best: Option<(&'static str, u16)> = None;
    for offer in offers {
        let liked = liked(offer, &ranges);
        if liked > best.map_or(0, |(_, liked)| liked) {
            best = Some((offer, liked));
        }
    }
    best.map(|(offer, _)| offer).ok_or_else(|| none_of(offers))
}

fn none_of(offers: &[&str]) -> Problem {
    Problem::new("not_acceptable", format!("this is served as {}", offers.join(", ")))
}

fn liked(offer: &str, ranges: &[Range]) -> u16 {
    let family = offer.split('/').next().unwrap_or_default();
    let fits = |range: &&Range| match range.kind.as_str() {
        kind if kind == offer => Some(2),
        "*/*" => Some(0),
        kind => kind.strip_suffix("/*").filter(|start| *start == family).map(|_| 1),
    };
    let most_specific = ranges.iter().filter_map(|range| Some((fits(&range)?, range.liked))).max();
    most_specific.map_or(0, |(_, liked)| liked)
}

fn range(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().filter(|kind| !kind.is_empty())?.to_ascii_lowercase();
    let quality =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let liked = match quality.map(|(_, value)| value.trim()) {
        None => 1_000,
        Some("0" | "0." | "0.0" | "0.00" | "0.000") => 0,
        Some(value) => thousandths(value).unwrap_or(1_000),
    };
    Some(Range { kind, liked })
}

/// `0.25` is 250.
fn thousandths(text: &str) -> Option<u16> {
    let ("0", decimals) = text.split_once('.')? else { return None };
    let fits = (1..=3).contains(&decimals.len()) && decimals.bytes().all(|b| b.is_ascii_digit());
    format!("{decimals:0<3}").parse().ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

    fn chosen(accept: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        choose(&headers, &OFFERS).ok()
    }

    #[test]
    fn the_form_that_is_liked_best_is_served() {
        for (accept, form) in [
            (vec![], Some(OFFERS[0])),
            (vec![""], Some(OFFERS[0])),
            (vec!["*/*"], Some(OFFERS[0])),
            (vec!["application/*"], Some(OFFERS[0])),
            (vec!["text/*"], Some(OFFERS[2])),
            (vec!["text/csv, */*;q=0.1"], Some(OFFERS[2])),
            (vec!["*/*", "application/json;q=0.5"], Some(OFFERS[1])),
            (vec!["Application/X-NDJSON; q=1"], Some(OFFERS[1])),
            (vec!["application/json;q=0.2, text/csv;q=0.25"], Some(OFFERS[2])),
            (vec!["text/html"], None),
            (vec!["application/json;q=0"], None),
            (vec!["application/json;q=0, */*"], Some(OFFERS[1])),
        ] {
            assert_eq!(chosen(&accept), form, "{accept:?}");
        }
    }
}

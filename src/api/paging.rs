//! Pages: their size and their opaque tokens.
//!
//! A token is the place to go on from, in base64url, so that nobody is tempted to
//! compute one. One that we did not write is a 400.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::Problem;
use super::request::Query;
use crate::types::deletion::ItemKey;

/// Rows of a page if the caller does not say.
pub const DEFAULT_SIZE: usize = 100;
/// Rows of a page, at most.
pub const MAX_SIZE: usize = 1_000;

/// Takes `page_size`.
pub fn size(query: &mut Query) -> Result<usize, Problem> {
    Ok(given_size(query)?.unwrap_or(DEFAULT_SIZE))
}

/// Takes `page_size`, if it is there.
pub fn given_size(query: &mut Query) -> Result<Option<usize>, Problem> {
    let fits = |text: &str| text.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
    query.read("page_size", "a number from 1 to 1000", fits)
}

/// Takes `page_token`.
pub fn token<T: std::str::FromStr>(query: &mut Query) -> Result<Option<T>, Problem> {
    query.read("page_token", "a next_page_token of an earlier answer", |text| read(text)?.parse().ok())
}

/// Takes a `page_token` that names an item.
pub fn item_token(query: &mut Query) -> Result<Option<ItemKey>, Problem> {
    query.read("page_token", "a next_page_token of an earlier answer", |text| {
        let text = read(text)?;
        let (deletion, index) = text.split_once('.')?;
        Some(ItemKey { deletion: deletion.parse().ok()?, index: index.parse().ok()? })
    })
}

/// A token for a place.
pub fn write(place: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}

/// A token for an item.
#[must_use]
pub fn write_item(key: ItemKey) -> String {
    write(format_args!("{}.{}", key.deletion, key.index))
}

fn read(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_foreign_ones_do_not() {
        let key = ItemKey { deletion: 7, index: 3 };
        let mut query = Query::parse(Some(&format!("page_token={}", write_item(key)))).unwrap();
        assert_eq!(item_token(&mut query).unwrap(), Some(key));
        let mut foreign = Query::parse(Some("page_token=7")).unwrap();
        assert!(token::<u32>(&mut foreign).is_err());
    }
}

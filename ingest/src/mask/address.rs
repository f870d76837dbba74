//! Web addresses: what follows `?` and `#` holds search words, tokens and e-mail addresses more often than anything that a
//! metric needs. Campaign parameters (`utm_…`) stay, the rest goes; so do user name and password before the host.

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

/// The text with every web address in it cut to host, path and campaign; the same text when nothing is to be cut.
pub(crate) fn cut<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let whole_is_path = text.starts_with('/') && !text.contains(char::is_whitespace);
    if !(text.contains("://") || whole_is_path) || !text.contains(['?', '#', '@']) {
        return text;
    }
    let mut cut = ArenaString::with_capacity_in(text.len(), arena);
    let mut rest = text;
    if whole_is_path {
        push_path(rest, &mut cut);
        return cut.into_bump_str();
    }
    while let Some(scheme_end) = rest.find("://").map(|start| start + 3) {
        let (before, address) = rest.split_at(scheme_end);
        cut.push_str(before);
        let end = address
            .find(|char: char| char.is_whitespace() || "\"'<>`".contains(char))
            .unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        let host_end = address.find(['/', '?', '#']).unwrap_or(address.len());
        let (host, path) = address.split_at(host_end);
        cut.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        push_path(path, &mut cut);
        rest = after;
    }
    cut.push_str(rest);
    cut.into_bump_str()
}

/// Adds the path, and of its parameters those of campaigns.
fn push_path(path: &str, cut: &mut ArenaString<'_>) {
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    cut.push_str(path);
    let mut mark = '?';
    for pair in query.split('&').filter(|pair| pair.starts_with("utm_")) {
        cut.push(mark);
        cut.push_str(pair);
        mark = '&';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_question_mark_and_hash_goes_except_campaigns() {
        let arena = Bump::new();
        for (text, expected) in [
            (
                "https://shop.example/a?q=anna&utm_source=nl&token=x&utm_campaign=may#top",
                "https://shop.example/a?utm_source=nl&utm_campaign=may",
            ),
            ("https://anna:secret@shop.example/a", "https://shop.example/a"),
            ("https://shop.example?reset=abc", "https://shop.example"),
            ("https://shop.example#anna", "https://shop.example"),
            ("/account/orders?order=17", "/account/orders"),
            (
                "see https://a.example/b?c=d and <http://e.example/?f#g>!",
                "see https://a.example/b and <http://e.example/>!",
            ),
            ("app://open/cart?customer=5", "app://open/cart"),
        ] {
            assert_eq!(cut(text, &arena), expected, "{text}");
        }
        for text in ["is 5/6 ok?", "who? / me", "https://shop.example/a/b", "a#b@c?d", "/faq is down, why?"] {
            assert!(std::ptr::eq(cut(text, &arena), text), "{text}");
        }
    }
}

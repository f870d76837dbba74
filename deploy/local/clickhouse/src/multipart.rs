//! `multipart/form-data` bodies: fields that would else stand in the URL, as clients send long queries and parameters.
//!
//! Promise kept: what is not well-formed is an error, never a shorter list of fields.

use crate::error::Exception;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

/// The boundary of a multipart body; `None` for any other body.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (kind, rest) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    rest.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// Reads all fields in order.
pub(crate) fn fields(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, Exception> {
    let broken = || Exception::bad_arguments("broken multipart/form-data body");
    let delimiter = format!("--{boundary}").into_bytes();
    let mut rest = &body[find(body, &delimiter).ok_or_else(broken)? + delimiter.len()..];
    let separator = [b"\r\n", delimiter.as_slice()].concat();
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n").ok_or_else(broken)?;
        let end = find(part, &separator).ok_or_else(broken)?;
        let head_end = find(&part[..end], b"\r\n\r\n").ok_or_else(broken)?;
        let head = String::from_utf8_lossy(&part[..head_end]);
        let name = attribute(&head, "name").ok_or_else(broken)?;
        if attribute(&head, "filename").is_some() {
            return Err(Exception::not_implemented("external tables are not supported here"));
        }
        fields.push((name, String::from_utf8_lossy(&part[head_end + 4..end]).into_owned()));
        rest = &part[end + separator.len()..];
    }
    Ok(fields)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// An attribute of the part's Content-Disposition.
fn attribute(head: &str, wanted: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_whole_or_not_at_all() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"query\"\r\nContent-Type: text/plain\r\n\r\nSELECT\r\n\r\n{x:String}\r\n--b\r\nContent-Disposition: form-data; name=\"param_x\"\r\n\r\na--b\r\n--b--\r\n";
        let read = fields(body.as_bytes(), "b").expect("well-formed");
        assert_eq!(
            read,
            [
                ("query".to_owned(), "SELECT\r\n\r\n{x:String}".to_owned()),
                ("param_x".to_owned(), "a--b".to_owned())
            ]
        );
        for cut in 0..body.len() - 6 {
            assert!(fields(&body.as_bytes()[..cut], "b").is_err(), "cut at {cut}");
        }
    }
}

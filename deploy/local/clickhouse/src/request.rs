//! What a request asks for, by its URL and headers, before its body is read.

use crate::error::Exception;
use crate::settings::{Setting, is_setting};
use hyper::header::ACCEPT_ENCODING;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode;
use std::time::Duration;

/// Session of a request.
#[derive(Clone, Debug)]
pub(crate) struct SessionRequest {
    pub(crate) id: String,
    pub(crate) timeout: Duration,
    /// `session_check=1`: the session must exist.
    pub(crate) must_exist: bool,
}

/// How the response is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    Lz4,
}

impl Encoding {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }
}

/// A request as its URL and headers tell it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) query: String,
    pub(crate) database: Option<String>,
    pub(crate) default_format: Option<String>,
    pub(crate) query_id: String,
    pub(crate) parameters: Vec<(String, Vec<u8>)>,
    pub(crate) settings: Vec<Setting>,
    pub(crate) session: Option<SessionRequest>,
    /// `client_protocol_version`: what a client's Native format has beyond the engine's; 0 when it names none.
    pub(crate) protocol_version: u64,
    /// `compress=1`: ClickHouse's blocks.
    pub(crate) framed_response: bool,
    /// `decompress=1`.
    pub(crate) framed_body: bool,
    pub(crate) encoding: Option<Encoding>,
    /// `wait_end_of_query=1`: the status tells how the whole query ended.
    pub(crate) wait_for_end: bool,
    /// `wait_end_of_query=0`, said aloud: nothing of the result is held back.
    pub(crate) hold_nothing: bool,
    /// Marks an error in the middle of the body.
    pub(crate) exception_tag: String,
    /// GET and HEAD may not change anything.
    pub(crate) reading_only: bool,
}

/// The URL's parameters, decoded, in order.
pub(crate) fn url_parameters(uri: &Uri) -> Vec<(String, String)> {
    uri.query().map(form_parameters).unwrap_or_default()
}

fn form_parameters(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        let plain = part.replace('+', " ");
        String::from_utf8_lossy(&percent_decode(plain.as_bytes()).collect::<Vec<u8>>()).into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

impl Request {
    /// Reads everything but the body.
    pub(crate) fn read(
        method: &Method,
        headers: &HeaderMap,
        parameters: &[(String, String)],
    ) -> Result<Self, Exception> {
        let last =
            |name: &str| parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let filled = |value: Option<String>| value.filter(|value| !value.is_empty());
        let is_on = |name: &str| last(name).is_some_and(|value| matches!(value.as_str(), "1" | "true"));
        let query_id = filled(last("query_id").or_else(|| header("x-clickhouse-query-id")))
            .filter(|id| id.len() <= 256)
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let settings = parameters
            .iter()
            .filter(|(name, _)| is_setting(name))
            // An empty value is how some clients leave a setting alone.
            .filter(|(_, value)| !value.is_empty())
            .cloned()
            .collect();
        let parameters_of_query = parameters
            .iter()
            .filter_map(|(name, value)| {
                let name = name.strip_prefix("param_")?;
                Some((name.to_owned(), value.clone().into_bytes()))
            })
            .collect();
        Ok(Self {
            query: last("query").unwrap_or_default(),
            database: filled(last("database").or_else(|| header("x-clickhouse-database"))),
            default_format: filled(last("default_format").or_else(|| header("x-clickhouse-format"))),
            query_id,
            parameters: parameters_of_query,
            settings,
            session: read_session(&last)?,
            protocol_version: last("client_protocol_version")
                .and_then(|version| version.parse().ok())
                .unwrap_or_default(),
            framed_response: is_on("compress"),
            framed_body: is_on("decompress"),
            // On by default in this engine's release.
            encoding: if last("enable_http_compression").is_none_or(|value| value != "0" && value != "false")
            {
                accepted_encoding(headers)
            } else {
                None
            },
            wait_for_end: is_on("wait_end_of_query"),
            hold_nothing: last("wait_end_of_query").is_some_and(|value| value == "0"),
            exception_tag: uuid::Uuid::new_v4().simple().to_string()[16..].to_owned(),
            reading_only: method == Method::GET || method == Method::HEAD,
        })
    }
}

fn read_session(last: &impl Fn(&str) -> Option<String>) -> Result<Option<SessionRequest>, Exception> {
    let Some(id) = last("session_id").filter(|id| !id.is_empty()) else { return Ok(None) };
    if id.len() > 256 {
        return Err(Exception::bad_arguments("session_id is longer than 256 bytes"));
    }
    let seconds = match last("session_timeout") {
        None => 60,
        Some(text) => match text.parse::<u64>() {
            Ok(seconds) if seconds <= 3600 => seconds,
            _ => return Err(Exception::session_timeout(&text)),
        },
    };
    let must_exist = last("session_check").is_some_and(|value| value == "1");
    Ok(Some(SessionRequest { id, timeout: Duration::from_secs(seconds), must_exist }))
}

fn accepted_encoding(headers: &HeaderMap) -> Option<Encoding> {
    let accepted = headers.get(ACCEPT_ENCODING)?.to_str().ok()?.to_ascii_lowercase();
    let names: Vec<&str> = accepted
        .split(',')
        .filter(|part| !part.replace(' ', "").ends_with(";q=0"))
        .map(|part| part.split(';').next().unwrap_or_default().trim())
        .collect();
    [Encoding::Zstd, Encoding::Lz4, Encoding::Gzip, Encoding::Brotli, Encoding::Deflate]
        .into_iter()
        .find(|encoding| names.contains(&encoding.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn the_url_becomes_settings_parameters_and_options() {
        let uri: Uri = "/?query=SELECT%20%7Bx%3AString%7D+%2B1&param_x=a%26b&max_threads=2&database=cx&session_id=s&session_timeout=7&compress=1&x="
            .parse()
            .expect("a URI");
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("br;q=0, gzip, deflate"));
        let parameters = url_parameters(&uri);
        let request = Request::read(&Method::GET, &headers, &parameters).expect("readable");
        assert_eq!(request.query, "SELECT {x:String} +1");
        assert_eq!(request.parameters, [("x".to_owned(), b"a&b".to_vec())]);
        assert_eq!(request.settings[0], ("max_threads".to_owned(), "2".to_owned()));
        assert_eq!(request.session.map(|session| session.timeout.as_secs()), Some(7));
        assert_eq!(request.encoding, Some(Encoding::Gzip));
        assert!(request.framed_response && request.reading_only);
    }
}

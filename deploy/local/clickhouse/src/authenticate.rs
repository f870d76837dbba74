//! Who asks: Basic authentication, `X-ClickHouse-User`/`-Key`, or `user`/`password` parameters; nothing means `default`.
//!
//! Promise kept: passwords are compared in constant time, and an unknown user and a wrong password look alike.

use crate::config::Password;
use crate::error::Exception;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Reads within limits.
    Reader,
    /// May write, without limits.
    Writer,
}

/// A user who proved to be one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// The users of this server.
#[derive(Debug)]
pub(crate) struct Users {
    known: Vec<(String, Password, Role)>,
}

impl Users {
    pub(crate) fn new(writer: String, password: Password) -> Self {
        let known = vec![
            (writer, password, Role::Writer),
            ("default".to_owned(), Password::new(""), Role::Reader),
            ("reader".to_owned(), Password::new("reader"), Role::Reader),
        ];
        Self { known }
    }

    /// Finds the user of a request.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        parameters: &[(String, String)],
    ) -> Result<User, Exception> {
        let (name, password) = credentials(headers, parameters)?;
        let found = self.known.iter().find(|(known, _, _)| *known == name);
        let matches =
            found.is_some_and(|(_, expected, _)| bool::from(expected.as_bytes().ct_eq(password.as_bytes())));
        match found {
            Some((_, _, role)) if matches => Ok(User { name, role: *role }),
            _ => Err(Exception::authentication_failed(&name)),
        }
    }
}

fn credentials(headers: &HeaderMap, parameters: &[(String, String)]) -> Result<(String, String), Exception> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let parameter =
        |name: &str| parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let or_default =
        |name: Option<String>| name.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned());
    let (user, key) = (header("x-clickhouse-user"), header("x-clickhouse-key"));
    if user.is_some() || key.is_some() {
        return Ok((or_default(user), key.unwrap_or_default()));
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let malformed = || Exception::authentication_failed("");
        let value = value.to_str().map_err(|_| malformed())?;
        let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(malformed());
        }
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
        let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
        let (name, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
        return Ok((or_default(Some(name.to_owned())), password.to_owned()));
    }
    Ok((or_default(parameter("user")), parameter("password").unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn each_way_of_naming_a_user_works_and_wrong_ones_fail() {
        let users = Users::new("touchstream".to_owned(), Password::new("secret"));
        let mut basic = HeaderMap::new();
        basic.insert(AUTHORIZATION, HeaderValue::from_static("Basic cmVhZGVyOnJlYWRlcg=="));
        let mut own = HeaderMap::new();
        own.insert("x-clickhouse-user", HeaderValue::from_static("touchstream"));
        own.insert("x-clickhouse-key", HeaderValue::from_static("secret"));
        let none = HeaderMap::new();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(users.authenticate(&basic, &[]).map(|user| user.role), Ok(Role::Reader));
        assert_eq!(users.authenticate(&own, &[]).map(|user| user.role), Ok(Role::Writer));
        assert_eq!(users.authenticate(&none, &[]).map(|user| user.name), Ok("default".to_owned()));
        let wrong = [pair("user", "touchstream"), pair("password", "secre")];
        assert_eq!(users.authenticate(&none, &wrong).map_err(|error| error.code), Err(516));
        assert_eq!(
            users.authenticate(&none, &[pair("user", "nobody")]).map_err(|error| error.code),
            Err(516)
        );
    }
}

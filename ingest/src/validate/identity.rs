//! Whether the name of a field that the catalogue does not know says that its value is somebody's: an identity, an address, a name.
//!
//! Used by [`super::unknown`] and [`super::nested`]. Promise: case, separators, plurals, hashes and what stands before the name make no
//! difference: `customerEmail`, `user.ip`, `VISITOR_IDS` and `email_sha256` are all found.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::suggest::normal;

/// Which field of `context` is meant; none where nothing of the kind is ever kept.
pub(super) type Meant = Option<&'static str>;

const CUSTOMER: Meant = Some("customer_id");
const ANONYMOUS: Meant = Some("anonymous_id");
const SESSION: Meant = Some("session_id");
const ACCOUNT: Meant = Some("account_id");

/// Names without separators and in lower case.
const NAMES: [(&str, Meant); 32] = [
    ("deviceid", ANONYMOUS),
    ("accountid", ACCOUNT),
    ("companyid", ACCOUNT),
    ("groupid", ACCOUNT),
    ("customerno", CUSTOMER),
    ("customernr", CUSTOMER),
    ("kundennr", CUSTOMER),
    ("kundennummer", CUSTOMER),
    ("kundenid", CUSTOMER),
    ("benutzername", CUSTOMER),
    ("login", CUSTOMER),
    ("nickname", CUSTOMER),
    ("telefon", CUSTOMER),
    ("telefonnummer", CUSTOMER),
    ("handynummer", CUSTOMER),
    ("iban", None),
    ("ssn", None),
    ("dob", None),
    ("street", None),
    ("strasse", None),
    ("adresse", None),
    ("vorname", None),
    ("nachname", None),
    ("geburtsdatum", None),
    ("remoteaddr", None),
    ("xforwardedfor", None),
    ("homeaddress", None),
    ("customeraddress", None),
    ("useraddress", None),
    ("contactaddress", None),
    ("passport", None),
    ("taxid", None),
];

/// Ends of such names that mean the same whatever stands before.
const ENDS: [(&str, Meant); 46] = [
    ("customerid", CUSTOMER),
    ("customeruuid", CUSTOMER),
    ("customernumber", CUSTOMER),
    ("customerref", CUSTOMER),
    ("customerkey", CUSTOMER),
    ("userid", CUSTOMER),
    ("useruuid", CUSTOMER),
    ("userguid", CUSTOMER),
    ("userkey", CUSTOMER),
    ("usernumber", CUSTOMER),
    ("username", CUSTOMER),
    ("clientid", CUSTOMER),
    ("memberid", CUSTOMER),
    ("membernumber", CUSTOMER),
    ("contactid", CUSTOMER),
    ("personid", CUSTOMER),
    ("profileid", CUSTOMER),
    ("subscriberid", CUSTOMER),
    ("shopperid", CUSTOMER),
    ("buyerid", CUSTOMER),
    ("guestid", CUSTOMER),
    ("recipientid", CUSTOMER),
    ("email", CUSTOMER),
    ("emailaddress", CUSTOMER),
    ("mailaddress", CUSTOMER),
    ("phonenumber", CUSTOMER),
    ("mobilenumber", CUSTOMER),
    ("anonymousid", ANONYMOUS),
    ("visitorid", ANONYMOUS),
    ("advertisingid", ANONYMOUS),
    ("cookieid", ANONYMOUS),
    ("sessionid", SESSION),
    ("ipaddress", None),
    ("ipaddr", None),
    ("macaddress", None),
    ("firstname", None),
    ("lastname", None),
    ("fullname", None),
    ("surname", None),
    ("customername", None),
    ("streetaddress", None),
    ("billingaddress", None),
    ("shippingaddress", None),
    ("birthdate", None),
    ("birthday", None),
    ("password", None),
];

/// Last words that mean this only when they stand alone: a `zip` is no `ip`.
const LAST_WORDS: [(&str, Meant); 14] = [
    ("phone", CUSTOMER),
    ("telephone", CUSTOMER),
    ("tel", CUSTOMER),
    ("fax", CUSTOMER),
    ("mail", CUSTOMER),
    ("msisdn", CUSTOMER),
    ("imei", ANONYMOUS),
    ("idfa", ANONYMOUS),
    ("idfv", ANONYMOUS),
    ("gaid", ANONYMOUS),
    ("ip", None),
    ("ipv4", None),
    ("ipv6", None),
    ("iban", None),
];

/// Objects about somebody: as a name of a plain value they are who it is, as an object their fields are judged.
const SOMEBODY: [(&str, Meant); 3] = [("customer", CUSTOMER), ("user", CUSTOMER), ("visitor", ANONYMOUS)];

/// How a hash of an identity, which identifies as well, is named.
const HASHES: [&str; 6] = ["hashed", "hash", "sha256", "sha1", "md5", "encrypted"];

/// Whose field this is, if it is somebody's: `raw` under `name`, inside a field named `parent` (empty at the top).
pub(super) fn meant_by(parent: &str, name: &str, raw: &str) -> Option<Meant> {
    // Whether somebody has an address is no address.
    if matches!(raw, "null" | "true" | "false" | "\"\"") {
        return None;
    }
    let is_plain = !raw.starts_with(['{', '[']);
    if !parent.is_empty() || name.len() > LONGEST_REMEMBERED {
        return judge(parent, name, is_plain);
    }
    JUDGED.with_borrow_mut(|judged| {
        if let Some(verdicts) = judged.get(name) {
            return verdicts[usize::from(is_plain)];
        }
        let verdicts = [judge(parent, name, false), judge(parent, name, true)];
        if judged.len() < MOST_REMEMBERED {
            judged.insert(name.into(), verdicts);
        }
        verdicts[usize::from(is_plain)]
    })
}

/// Names outside objects that are remembered with their verdicts, and their longest: a site sends the same few with every event.
const MOST_REMEMBERED: usize = 1_000;
const LONGEST_REMEMBERED: usize = 64;

thread_local! {
    /// Verdicts for an object or list of this name, and for a plain value.
    static JUDGED: RefCell<HashMap<Box<str>, [Option<Meant>; 2]>> = RefCell::default();
}

fn judge(parent: &str, name: &str, is_plain: bool) -> Option<Meant> {
    let whole = normal(name);
    let last_part = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
    let last = normal(last_part);
    let under = [singular(&normal(parent)), &last].concat();
    let found = [&whole, &last, &under].into_iter().find_map(|name| {
        let name = singular(name);
        let name = HASHES.iter().find_map(|hash| name.strip_suffix(hash.as_bytes())).unwrap_or(name);
        of_name(name).or_else(|| of_name(singular(name)))
    });
    let found = found.or_else(|| equal(&LAST_WORDS, singular(&last_word(last_part))));
    found.or_else(|| if is_plain { equal(&SOMEBODY, &last) } else { None })
}

fn of_name(name: &[u8]) -> Option<Meant> {
    let end = ENDS.iter().find(|(end, _)| name.ends_with(end.as_bytes())).map(|(_, meant)| *meant);
    end.or_else(|| equal(&NAMES, name))
}

fn equal(known: &[(&str, Meant)], name: &[u8]) -> Option<Meant> {
    known.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, meant)| *meant)
}

fn singular(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"s").filter(|rest| !rest.ends_with(b"s")).unwrap_or(name)
}

/// The last word of a name in lower case, whether words are told apart by separators or by capitals.
fn last_word(name: &str) -> Vec<u8> {
    let bytes = name.trim_end_matches(|last: char| !last.is_ascii_alphanumeric()).as_bytes();
    let ends_in_capitals = bytes.last().is_some_and(u8::is_ascii_uppercase);
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1].is_ascii_alphanumeric() {
        let is_capital = bytes[start - 1].is_ascii_uppercase();
        if ends_in_capitals && bytes[start - 1].is_ascii_lowercase() {
            break;
        }
        start -= 1;
        if is_capital && !ends_in_capitals {
            break;
        }
    }
    bytes[start..].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_found_under_every_spelling_and_other_names_are_left_alone() {
        for name in [
            "customer_id",
            "customerId",
            "CustomerID",
            "user_id",
            "uid.userId",
            "shop.user_ids",
            "crm-customer-id",
            "email",
            "customer_email",
            "userEmail",
            "e-mail",
            "emails",
            "email_hash",
            "hashedEmail",
            "emailSha256",
            "contact_mail",
            "ip",
            "ip_address",
            "IPAddress",
            "clientIp",
            "userIP",
            "USER_IP",
            "client_ips",
            "remote_addr",
            "x-forwarded-for",
            "phone",
            "billing_phone",
            "phoneNumber",
            "tel",
            "visitorId",
            "ga_client_id",
            "ga_session_id",
            "session-id",
            "deviceId",
            "group_id",
            "user",
            "customer",
            "user_name",
            "firstName",
            "last_name",
            "birthDate",
            "Kundennummer",
            "iban",
            "properties.account_id",
            "properties.phone",
            "shipping_address",
            "password",
        ] {
            assert!(meant_by("", name, "\"x\"").is_some(), "{name}");
            assert!(meant_by("", name, "true").is_none(), "{name} is only said to be there");
        }
        for name in [
            "zip",
            "trip",
            "membership",
            "tip",
            "hotel",
            "microphone",
            "smartphone",
            "product_id",
            "product_group_id",
            "ad_account_id",
            "order_id",
            "coupon",
            "color",
            "persona",
            "female",
            "user_type",
            "customer_segment",
            "email_campaign",
            "ip_count",
            "gross",
            "address_count",
            "name",
            "product_name",
            "model",
            "userAgentFamily",
            "",
            "s",
            "ß",
        ] {
            assert!(meant_by("", name, "\"x\"").is_none(), "{name}");
        }
        for (parent, name) in
            [("user", "id"), ("users", "id"), ("customer", "name"), ("Customer", "Number"), ("visitor", "id")]
        {
            assert!(meant_by(parent, name, "7").is_some(), "{parent}.{name}");
        }
        assert!(meant_by("product", "id", "7").is_none() && meant_by("product", "name", "7").is_none());
        assert!(meant_by("", "user", "{}").is_none(), "its fields are judged");
    }
}

//! Pseudonyms: an id of a person becomes an HMAC-SHA-256 under a key of its tenant, before anything is stored.
//!
//! Validate → **pseudonym** → encode. Promise: the same id of the same tenant has the same pseudonym on every instance, and no two
//! tenants share one; without the secret nobody can go back or test a guess.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bumpalo::Bump;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Bytes of the HMAC that a pseudonym keeps: 128 bits.
const KEPT: usize = 16;
/// Characters of a pseudonym.
const CHARACTERS: usize = 22;

/// Makes the pseudonyms of one tenant.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pseudonyms(***)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

impl Pseudonyms {
    /// The tenant's key is HMAC(secret, tenant).
    pub(crate) fn new(secret: &str, tenant: &str) -> Pseudonyms {
        let tenant_key = keyed(secret.as_bytes()).chain_update(tenant).finalize().into_bytes();
        Pseudonyms { keyed: keyed(&tenant_key) }
    }

    /// The pseudonym of an id.
    pub(crate) fn of<'a>(&self, id: &str, arena: &'a Bump) -> &'a str {
        self.pseudonym("", id, arena)
    }

    /// Another pseudonym of the same id, for events that must not be joined with those that have the first one, or the id itself.
    pub(crate) fn unlinked<'a>(&self, id: &str, arena: &'a Bump) -> &'a str {
        // No id begins so: ids have no control characters.
        self.pseudonym("\0unlinked\0", id, arena)
    }

    fn pseudonym<'a>(&self, domain: &str, id: &str, arena: &'a Bump) -> &'a str {
        let mac = self.keyed.clone().chain_update(domain).chain_update(id).finalize().into_bytes();
        let mut text = [0_u8; CHARACTERS];
        let written = URL_SAFE_NO_PAD
            .encode_slice(&mac[..KEPT], &mut text)
            .expect("sixteen bytes are 22 characters of base64");
        arena.alloc_str(std::str::from_utf8(&text[..written]).expect("base64 is ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_secret_tenant_and_id_and_on_nothing_else() {
        let arena = Bump::new();
        let shop = Pseudonyms::new("secret", "shop");
        let pseudonym = shop.of("c-81", &arena);
        // The same by Python: hmac.new(hmac.new(b"secret", b"shop", "sha256").digest(), b"c-81", "sha256").
        assert_eq!(pseudonym, "opwL1Xx5pjixFHN-vqpClA");
        assert_eq!(pseudonym, Pseudonyms::new("secret", "shop").of("c-81", &arena));
        assert_ne!(pseudonym, shop.of("c-82", &arena));
        assert_ne!(pseudonym, shop.unlinked("c-81", &arena));
        assert_eq!(shop.unlinked("c-81", &arena), shop.unlinked("c-81", &arena));
        assert_ne!(pseudonym, Pseudonyms::new("secret", "other").of("c-81", &arena));
        assert_ne!(pseudonym, Pseudonyms::new("other", "shop").of("c-81", &arena));
    }
}

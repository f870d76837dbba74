//! A macro that fills a `serde::Serializer` with methods that all return one error.
//!
//! Why it exists: `serde_avro_fast`, which encodes and decodes every event, needs a crate of this name, and the one on
//! the default registry is LGPL-3.0-only. Cargo links it statically into a binary that is Apache-2.0, so `[patch.crates-io]` in the root
//! Cargo.toml puts this crate in its place. It was written from the calls in `serde_avro_fast` alone.
//!
//! Place in the flow: none at run time, it is expanded inside `serde_avro_fast`. Promise: each listed kind of value is
//! answered with the given error, and a kind that is neither listed nor implemented does not compile.

#[doc(hidden)]
pub use serde;

/// Implements the listed methods of `serde::Serializer`; each returns the given error.
///
/// It stands inside an `impl serde::Serializer` block that names `Ok` and `Error`. A kind is the name of the method without
/// `serialize_`. The kinds with parts of their own (`seq`, `tuple`, `map`, `struct`, …) also set their associated type.
///
/// ```
/// struct OnlyText;
///
/// impl serde::Serializer for OnlyText {
///     type Ok = String;
///     type Error = std::fmt::Error;
///
///     fn serialize_str(self, text: &str) -> Result<String, std::fmt::Error> {
///         Ok(text.to_owned())
///     }
///
///     serde_serializer_quick_unsupported::serializer_unsupported! {
///         err = (std::fmt::Error);
///         bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes none some unit unit_struct unit_variant
///         newtype_struct newtype_variant seq tuple tuple_struct tuple_variant map struct struct_variant
///     }
/// }
///
/// assert_eq!(serde::Serialize::serialize("text", OnlyText), Ok("text".to_owned()));
/// assert_eq!(serde::Serialize::serialize(&1_u8, OnlyText), Err(std::fmt::Error));
/// ```
#[macro_export]
macro_rules! serializer_unsupported {
    (err = ($error:expr); $($kind:ident)*) => {
        $($crate::unsupported_kind! { $kind $error })*
    };
}

/// One kind: its method's parameters, then what the method answers with.
#[doc(hidden)]
#[macro_export]
macro_rules! unsupported_kind {
    (bool $error:expr) => {
        $crate::unsupported_method! { serialize_bool(bool) $error }
    };
    (i8 $error:expr) => {
        $crate::unsupported_method! { serialize_i8(i8) $error }
    };
    (i16 $error:expr) => {
        $crate::unsupported_method! { serialize_i16(i16) $error }
    };
    (i32 $error:expr) => {
        $crate::unsupported_method! { serialize_i32(i32) $error }
    };
    (i64 $error:expr) => {
        $crate::unsupported_method! { serialize_i64(i64) $error }
    };
    (i128 $error:expr) => {
        $crate::unsupported_method! { serialize_i128(i128) $error }
    };
    (u8 $error:expr) => {
        $crate::unsupported_method! { serialize_u8(u8) $error }
    };
    (u16 $error:expr) => {
        $crate::unsupported_method! { serialize_u16(u16) $error }
    };
    (u32 $error:expr) => {
        $crate::unsupported_method! { serialize_u32(u32) $error }
    };
    (u64 $error:expr) => {
        $crate::unsupported_method! { serialize_u64(u64) $error }
    };
    (u128 $error:expr) => {
        $crate::unsupported_method! { serialize_u128(u128) $error }
    };
    (f32 $error:expr) => {
        $crate::unsupported_method! { serialize_f32(f32) $error }
    };
    (f64 $error:expr) => {
        $crate::unsupported_method! { serialize_f64(f64) $error }
    };
    (char $error:expr) => {
        $crate::unsupported_method! { serialize_char(char) $error }
    };
    (str $error:expr) => {
        $crate::unsupported_method! { serialize_str(&str) $error }
    };
    (bytes $error:expr) => {
        $crate::unsupported_method! { serialize_bytes(&[u8]) $error }
    };
    (none $error:expr) => {
        $crate::unsupported_method! { serialize_none() $error }
    };
    (unit $error:expr) => {
        $crate::unsupported_method! { serialize_unit() $error }
    };
    (unit_struct $error:expr) => {
        $crate::unsupported_method! { serialize_unit_struct(&'static str) $error }
    };
    (unit_variant $error:expr) => {
        $crate::unsupported_method! { serialize_unit_variant(&'static str, u32, &'static str) $error }
    };
    (some $error:expr) => {
        $crate::unsupported_wrapper! { serialize_some() $error }
    };
    (newtype_struct $error:expr) => {
        $crate::unsupported_wrapper! { serialize_newtype_struct(&'static str) $error }
    };
    (newtype_variant $error:expr) => {
        $crate::unsupported_wrapper! { serialize_newtype_variant(&'static str, u32, &'static str) $error }
    };
    (seq $error:expr) => {
        $crate::unsupported_compound! { SerializeSeq serialize_seq(Option<usize>) $error }
    };
    (tuple $error:expr) => {
        $crate::unsupported_compound! { SerializeTuple serialize_tuple(usize) $error }
    };
    (tuple_struct $error:expr) => {
        $crate::unsupported_compound! { SerializeTupleStruct serialize_tuple_struct(&'static str, usize) $error }
    };
    (tuple_variant $error:expr) => {
        $crate::unsupported_compound! {
            SerializeTupleVariant serialize_tuple_variant(&'static str, u32, &'static str, usize) $error
        }
    };
    (map $error:expr) => {
        $crate::unsupported_compound! { SerializeMap serialize_map(Option<usize>) $error }
    };
    (struct $error:expr) => {
        $crate::unsupported_compound! { SerializeStruct serialize_struct(&'static str, usize) $error }
    };
    (struct_variant $error:expr) => {
        $crate::unsupported_compound! {
            SerializeStructVariant serialize_struct_variant(&'static str, u32, &'static str, usize) $error
        }
    };
}

/// A value that is complete in itself.
#[doc(hidden)]
#[macro_export]
macro_rules! unsupported_method {
    ($method:ident($($parameter:ty),*) $error:expr) => {
        fn $method(self, $(_: $parameter),*) -> Result<Self::Ok, Self::Error> {
            Err($error)
        }
    };
}

/// A value around one other value of any type.
#[doc(hidden)]
#[macro_export]
macro_rules! unsupported_wrapper {
    ($method:ident($($parameter:ty),*) $error:expr) => {
        fn $method<T: ?Sized + $crate::serde::Serialize>(
            self,
            $(_: $parameter,)*
            _: &T,
        ) -> Result<Self::Ok, Self::Error> {
            Err($error)
        }
    };
}

/// A value with parts: they are never reached, so their serializer is serde's type that has no values.
#[doc(hidden)]
#[macro_export]
macro_rules! unsupported_compound {
    ($compound:ident $method:ident($($parameter:ty),*) $error:expr) => {
        type $compound = $crate::serde::ser::Impossible<Self::Ok, Self::Error>;

        fn $method(self, $(_: $parameter),*) -> Result<Self::$compound, Self::Error> {
            Err($error)
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::ser::Error;
    use serde::{Serialize, Serializer};

    type Refusal = serde::de::value::Error;

    /// Takes nothing at all.
    struct Nothing;

    impl Serializer for Nothing {
        type Ok = ();
        type Error = Refusal;

        serializer_unsupported! {
            err = (Refusal::custom("nothing is supported here"));
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes none some unit unit_struct unit_variant
            newtype_struct newtype_variant seq tuple tuple_struct tuple_variant map struct struct_variant
        }
    }

    /// Takes `u32`, and lists only what serde has no default for.
    struct OnlyU32;

    impl Serializer for OnlyU32 {
        type Ok = u32;
        type Error = Refusal;

        fn serialize_u32(self, value: u32) -> Result<u32, Refusal> {
            Ok(value)
        }

        serializer_unsupported! {
            err = (Refusal::custom("only u32"));
            bool i8 i16 i32 i64 u8 u16 u64 f32 f64 char str bytes none some unit unit_struct unit_variant
            newtype_struct newtype_variant seq tuple tuple_struct tuple_variant map struct struct_variant
        }
    }

    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Newtype(u8);
    #[derive(Serialize)]
    struct Pair(u8, u8);
    #[derive(Serialize)]
    struct Named {
        field: u8,
    }
    #[derive(Serialize)]
    enum Kind {
        Unit,
        Newtype(u8),
        Pair(u8, u8),
        Named { field: u8 },
    }
    struct Bytes;
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"bytes")
        }
    }

    #[track_caller]
    fn refused(value: &impl Serialize) {
        let refusal = value.serialize(Nothing).expect_err("nothing is supported");
        assert_eq!(refusal.to_string(), "nothing is supported here");
    }

    #[test]
    fn every_kind_gives_the_given_error() {
        refused(&true);
        refused(&1_i8);
        refused(&1_i16);
        refused(&1_i32);
        refused(&1_i64);
        refused(&1_i128);
        refused(&1_u8);
        refused(&1_u16);
        refused(&1_u32);
        refused(&1_u64);
        refused(&1_u128);
        refused(&1_f32);
        refused(&1_f64);
        refused(&'c');
        refused(&"text");
        refused(&Bytes);
        refused(&None::<u8>);
        refused(&Some(1_u8));
        refused(&());
        refused(&Unit);
        refused(&Kind::Unit);
        refused(&Newtype(1));
        refused(&Kind::Newtype(1));
        refused(&vec![1_u8]);
        refused(&(1_u8, 2_u8));
        refused(&Pair(1, 2));
        refused(&Kind::Pair(1, 2));
        refused(&BTreeMap::from([(1_u8, 2_u8)]));
        refused(&Named { field: 1 });
        refused(&Kind::Named { field: 1 });
    }

    #[test]
    fn a_method_that_is_written_by_hand_stays() {
        assert_eq!(7_u32.serialize(OnlyU32), Ok(7));
        assert_eq!("7".serialize(OnlyU32).expect_err("text is not u32").to_string(), "only u32");
    }
}

//! How the values of a type lie in a column of Native, so that its end is found.

use super::kind::Kind;
use super::{NativeError, Reader};

/// A column under way: what its prefix says decides where its data end.
#[derive(Debug)]
pub(super) enum Column {
    Fixed(usize),
    Text,
    Nullable(Box<Column>),
    Array(Box<Column>),
    Tuple(Vec<Column>),
    LowCardinality(Box<Column>),
    /// In the order of their discriminators.
    Variant(Vec<Column>),
    /// Its types come with its prefix.
    Dynamic(Box<Column>),
    /// The typed paths, then the others, which come with its prefix.
    Json {
        typed: Vec<Column>,
        others: Vec<Column>,
        shared: Box<Column>,
    },
}

impl Column {
    /// `late`: the client is of a version that has `Dynamic` and `JSON` in a later form, and cannot have them.
    pub(super) fn new(kind: &Kind, late: bool) -> Result<Self, NativeError> {
        let new = |kind: &Kind| Self::new(kind, late);
        let boxed = |kind: &Kind| Self::new(kind, late).map(Box::new);
        let tuple = |elements: &[(Option<String>, Kind)]| {
            Ok(Self::Tuple(elements.iter().map(|(_, kind)| new(kind)).collect::<Result<_, _>>()?))
        };
        Ok(match kind {
            Kind::Fixed(_, size) => Self::Fixed(*size),
            Kind::Text => Self::Text,
            Kind::Named(_, kind) => new(kind)?,
            Kind::Nullable(kind) => Self::Nullable(boxed(kind)?),
            Kind::Array(kind) => Self::Array(boxed(kind)?),
            Kind::Map(key, value) => Self::Array(Box::new(Self::Tuple(vec![new(key)?, new(value)?]))),
            Kind::Tuple(elements) => tuple(elements)?,
            Kind::Nested(elements) => Self::Array(Box::new(tuple(elements)?)),
            Kind::LowCardinality(kind) => match kind.as_ref() {
                // Null is one of the dictionary's keys.
                Kind::Nullable(kind) => Self::LowCardinality(boxed(kind)?),
                _ => Self::LowCardinality(boxed(kind)?),
            },
            Kind::Variant(kinds) => Self::Variant(kinds.iter().map(new).collect::<Result<_, _>>()?),
            Kind::Dynamic(_) | Kind::Json(_) if late => return Err(NativeError::Type(kind.to_string())),
            Kind::Dynamic(_) => Self::Dynamic(Box::new(Self::Variant(Vec::new()))),
            Kind::Json(json) => {
                let pair = Self::Tuple(vec![Self::Text, Self::Text]);
                Self::Json {
                    typed: json.typed.iter().map(|(_, kind)| new(kind)).collect::<Result<_, _>>()?,
                    others: Vec::new(),
                    shared: Box::new(Self::Array(Box::new(pair))),
                }
            }
        })
    }

    /// What comes before a column's data: versions of dictionaries, types of dynamic values.
    pub(super) fn prefix(&mut self, reader: &mut Reader<'_, '_>) -> Result<(), NativeError> {
        match self {
            Self::Fixed(_) | Self::Text => Ok(()),
            Self::Nullable(inner) | Self::Array(inner) => inner.prefix(reader),
            Self::Tuple(columns) => columns.iter_mut().try_for_each(|column| column.prefix(reader)),
            Self::LowCardinality(_) => expect(reader, 1, "a dictionary of another version"),
            Self::Variant(columns) => {
                expect(reader, 0, "variants packed in another way")?;
                columns.iter_mut().try_for_each(|column| column.prefix(reader))
            }
            Self::Dynamic(variant) => {
                expect(reader, 1, "dynamic values of another version")?;
                let _most = reader.number()?;
                let count = reader.size()?;
                if count > usize::from(u8::MAX) {
                    return Err(NativeError::Broken("dynamic values of too many types"));
                }
                let mut columns = vec![("SharedVariant".to_owned(), Self::Text)];
                for _ in 0..count {
                    let kind = reader.kind()?;
                    columns.push((kind.to_string(), Self::new(&kind, false)?));
                }
                columns.sort_by(|(left, _), (right, _)| left.cmp(right));
                **variant = Self::Variant(columns.into_iter().map(|(_, column)| column).collect());
                variant.prefix(reader)
            }
            Self::Json { typed, others, shared } => {
                expect(reader, 0, "JSON of another version")?;
                let _most = reader.number()?;
                let count = reader.size()?;
                if count > usize::from(u16::MAX) {
                    return Err(NativeError::Broken("JSON of too many paths"));
                }
                for _ in 0..count {
                    reader.text()?;
                }
                *others = (0..count).map(|_| Self::Dynamic(Box::new(Self::Variant(Vec::new())))).collect();
                let mut columns = typed.iter_mut().chain(others).chain([shared.as_mut()]);
                columns.try_for_each(|column| column.prefix(reader))
            }
        }
    }

    pub(super) fn skip(&self, reader: &mut Reader<'_, '_>, rows: usize) -> Result<(), NativeError> {
        match self {
            Self::Fixed(size) => {
                let length = rows.checked_mul(*size).ok_or(NativeError::Broken("a length overflows"))?;
                reader.take(length).map(drop)
            }
            Self::Text => (0..rows).try_for_each(|_| reader.text().map(drop)),
            Self::Nullable(inner) => {
                reader.take(rows)?;
                inner.skip(reader, rows)
            }
            Self::Array(inner) => {
                let length = rows.checked_mul(8).ok_or(NativeError::Broken("a length overflows"))?;
                let ends = reader.take(length)?;
                let Some(last) = ends.last_chunk::<8>() else { return Ok(()) };
                let elements = usize::try_from(u64::from_le_bytes(*last))
                    .map_err(|_| NativeError::Broken("a length overflows"))?;
                inner.skip(reader, elements)
            }
            Self::Tuple(columns) if columns.is_empty() => reader.take(rows).map(drop),
            Self::Tuple(columns) => columns.iter().try_for_each(|column| column.skip(reader, rows)),
            Self::LowCardinality(inner) => skip_dictionary(inner, reader, rows),
            Self::Variant(columns) => {
                let mut counts = vec![0_usize; columns.len()];
                for discriminator in reader.take(rows)? {
                    // 255 is null.
                    match counts.get_mut(usize::from(*discriminator)) {
                        Some(count) => *count += 1,
                        None if *discriminator == u8::MAX => {}
                        None => return Err(NativeError::Broken("a variant of unknown type")),
                    }
                }
                columns.iter().zip(counts).try_for_each(|(column, count)| column.skip(reader, count))
            }
            Self::Dynamic(variant) => variant.skip(reader, rows),
            Self::Json { typed, others, shared } => {
                let mut columns = typed.iter().chain(others).chain([shared.as_ref()]);
                columns.try_for_each(|column| column.skip(reader, rows))
            }
        }
    }
}

fn expect(reader: &mut Reader<'_, '_>, wanted: u64, otherwise: &'static str) -> Result<(), NativeError> {
    if reader.long()? == wanted { Ok(()) } else { Err(NativeError::Broken(otherwise)) }
}

fn skip_dictionary(inner: &Column, reader: &mut Reader<'_, '_>, rows: usize) -> Result<(), NativeError> {
    if rows == 0 {
        return Ok(());
    }
    let head = reader.long()?;
    if head & 0x100 != 0 {
        return Err(NativeError::Broken("a dictionary shared by blocks"));
    }
    let keys = if head & 0x200 == 0 { 0 } else { reader.long()? };
    let keys = usize::try_from(keys).map_err(|_| NativeError::Broken("a length overflows"))?;
    inner.skip(reader, keys)?;
    if reader.long()? != rows as u64 {
        return Err(NativeError::Broken("a dictionary's rows are not the column's"));
    }
    let width = match head & 0xff {
        width @ 0..=3 => 1_usize << width,
        _ => return Err(NativeError::Broken("a dictionary's index of unknown width")),
    };
    Column::Fixed(width).skip(reader, rows)
}

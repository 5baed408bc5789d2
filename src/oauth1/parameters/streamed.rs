//! Parameters of a large request, which are encoded while they are hashed.
//!
//! [RFC 5849 section 3.4.1.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3)

use std::hint::black_box;

use ring::hmac;

use super::{
    PROTOCOL_PREFIX, encode_parameter,
    hashed::{Hashed, bits},
    keys::Keys,
    order::{compare, name_begins_with},
    reserved_name,
    sort::{FETCHED, LINE_BYTES, SAMPLES, SortEntry, parameter, sort},
};
use crate::error::Result;

/// Length of the samples, in bytes.
const SAMPLE_BYTES: usize = 256;

/// Length of parameters, below which it is not believed that all are so short, in bytes.
const MIN_BYTES: usize = 4;

/// Length of the parts of which every sixteenth is counted, in bytes.
const CHUNK_BYTES: usize = 4096;

/// The parameters of a query and a form, sorted.
pub(in crate::oauth1) struct StreamedParameters<'a> {
    wire: QueryAndForm<'a>,
    order: Order,
    /// The protocol parameters in their signed form, with a separator after them.
    protocol: Vec<u8>,
}

/// Where the parameters are, in the order in which they are signed.
enum Order {
    /// As they are sent; the protocol parameters belong before the position.
    AsSent(usize),
    /// In order.
    Sorted(Vec<SortEntry>),
}

impl<'a> StreamedParameters<'a> {
    /// Sorts the parameters of a query and a form, which must not contain protocol parameters.
    /// `None` if there are more bytes than positions.
    pub(in crate::oauth1) fn new(query: &'a [u8], form: &'a [u8]) -> Result<Option<Self>> {
        if query.len().saturating_add(form.len()) > u32::MAX as usize {
            return Ok(None);
        }
        let [query, form] = [query, form].map(without_separators);
        let wire = QueryAndForm { query, form };
        let order = match wire.position_in_order()? {
            Some(protocol) => Order::AsSent(protocol),
            None => wire.sorted()?,
        };
        Ok(Some(Self {
            wire,
            order,
            protocol: Vec::new(),
        }))
    }

    /// Sets all protocol parameters, in their signed form.
    pub(in crate::oauth1) fn set_protocol_parameters(&mut self, signed: Vec<u8>) {
        self.protocol = signed;
    }

    /// The HMAC of `start` and the normalised parameters.
    pub(in crate::oauth1) fn sign(&self, key: &hmac::Key, start: &[u8]) -> hmac::Tag {
        let wire = &self.wire;
        let mut hashed = Hashed::new(key, wire.length());
        hashed.write(start);
        let protocol = self.protocol.strip_suffix(b"%26");
        let protocol = protocol.unwrap_or(&self.protocol);
        match &self.order {
            Order::AsSent(position) => {
                let [before, after] = wire.split_at(*position);
                for part in before.into_iter().filter(|part| !part.is_empty()) {
                    hashed.encode_all(part);
                    hashed.write(b"%26");
                }
                hashed.write(protocol);
                for part in after.into_iter().filter(|part| !part.is_empty()) {
                    hashed.write(b"%26");
                    hashed.encode_all(part);
                }
            }
            Order::Sorted(entries) => {
                let expected = wire.length() / entries.len().max(1);
                let is_before =
                    |entry: &SortEntry| is_before_protocol(parameter(wire.at(entry.start())));
                let (before, after) = entries.split_at(entries.partition_point(is_before));
                for entries in before.chunks(FETCHED) {
                    wire.fetch(entries, expected);
                    for entry in entries {
                        hashed.encode_one(wire.at(entry.start()), expected);
                        hashed.write(b"%26");
                    }
                }
                hashed.write(protocol);
                for entries in after.chunks(FETCHED) {
                    wire.fetch(entries, expected);
                    for entry in entries {
                        hashed.write(b"%26");
                        hashed.encode_one(wire.at(entry.start()), expected);
                    }
                }
            }
        }
        hashed.finish()
    }
}

fn is_before_protocol(parameter: &[u8]) -> bool {
    compare(parameter, PROTOCOL_PREFIX.as_bytes()).is_lt()
}

fn without_separators(mut form: &[u8]) -> &[u8] {
    while let Some(rest) = form.strip_suffix(b"&") {
        form = rest;
    }
    form
}

/// Query and form, with positions in both.
struct QueryAndForm<'a> {
    query: &'a [u8],
    form: &'a [u8],
}

impl<'a> QueryAndForm<'a> {
    /// Each with its first position and its name.
    fn parts(&self) -> [(usize, &'a [u8], &'static str); 2] {
        [
            (0, self.query, "query"),
            (self.query.len(), self.form, "body"),
        ]
    }

    /// The position of the first parameter that sorts after those of the protocol, if all are
    /// sorted as they are sent, and none is empty.
    fn position_in_order(&self) -> Result<Option<usize>> {
        let mut previous: &[u8] = b"";
        let mut protocol = None;
        for (offset, form, place) in self.parts() {
            let mut end = 0;
            let in_order = each(form, |start, parameter| {
                check_name(parameter, place)?;
                if start != end || compare(previous, parameter).is_gt() {
                    return Ok(false);
                }
                if protocol.is_none() && !is_before_protocol(parameter) {
                    protocol = Some(offset + start);
                }
                previous = parameter;
                end = start + parameter.len() + 1;
                Ok(true)
            })?;
            if !in_order {
                return Ok(None);
            }
        }
        Ok(Some(protocol.unwrap_or(self.query.len() + self.form.len())))
    }

    fn length(&self) -> usize {
        self.query.len() + self.form.len()
    }

    /// Sorts the parameters.
    fn sorted(&self) -> Result<Order> {
        let mut entries =
            Vec::with_capacity(estimated_count(self.query) + estimated_count(self.form));
        let keys = Keys::new(self.samples());
        for (offset, form, place) in self.parts() {
            each(form, |start, parameter| {
                check_name(parameter, place)?;
                entries.push(SortEntry::new(keys.key(parameter), (offset + start) as u32));
                Ok(true)
            })?;
        }
        sort(&mut entries, &keys, &|start| self.at(start));
        Ok(Order::Sorted(entries))
    }

    /// The beginnings of some parameters from everywhere.
    fn samples(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let samples = self.parts().into_iter().flat_map(|(_, form, _)| {
            let step = form.len() / SAMPLES + 1;
            form.chunks(step).filter_map(|chunk| {
                let first = chunk.split(|byte| *byte == b'&').nth(1)?;
                Some(&first[..first.len().min(SAMPLE_BYTES)])
            })
        });
        samples.filter(|sample| !sample.is_empty())
    }

    /// What is before a position, and what is after it, without a separator between them.
    fn split_at(&self, position: usize) -> [[&'a [u8]; 2]; 2] {
        let (query, form) = match position.checked_sub(self.query.len()) {
            None => (self.query.split_at(position), (&[][..], self.form)),
            Some(position) => ((self.query, &[][..]), self.form.split_at(position)),
        };
        let [before_query, before_form] = [query.0, form.0].map(without_separators);
        [[before_query, before_form], [query.1, form.1]]
    }

    /// The bytes from a position on.
    fn at(&self, position: u32) -> &'a [u8] {
        let position = position as usize;
        match position.checked_sub(self.query.len()) {
            None => &self.query[position..],
            Some(position) => &self.form[position..],
        }
    }

    /// Reads a byte of each line of parameters whose length is about `expected`, so that the
    /// processor fetches all of them at the same time.
    fn fetch(&self, entries: &[SortEntry], expected: usize) {
        let length = (expected + 1).next_multiple_of(LINE_BYTES);
        let mut read = 0;
        for entry in entries {
            let wire = self.at(entry.start());
            let lines = &wire[..wire.len().min(length)];
            for byte in lines.iter().step_by(LINE_BYTES).take(FETCHED) {
                read ^= byte;
            }
            read ^= lines.last().unwrap_or(&0);
        }
        black_box(read);
    }
}

/// Calls `visit` with the start of each parameter that is not empty and its bytes, until it returns
/// false. Returns whether it did not.
#[inline(always)]
fn each<'a>(
    form: &'a [u8],
    mut visit: impl FnMut(usize, &'a [u8]) -> Result<bool>,
) -> Result<bool> {
    let mut start = 0;
    let mut separated = |end: usize| {
        let parameter = &form[start..end];
        let is_visited = parameter.is_empty() || visit(start, parameter)?;
        start = end + 1;
        Ok(is_visited)
    };
    let (blocks, rest) = form.as_chunks();
    for (n, block) in blocks.iter().enumerate() {
        let mut mask = separators(block);
        while mask != 0 {
            if !separated(n * block.len() + mask.trailing_zeros() as usize)? {
                return Ok(false);
            }
            mask &= mask - 1;
        }
    }
    for (n, byte) in rest.iter().enumerate() {
        if *byte == b'&' && !separated(form.len() - rest.len() + n)? {
            return Ok(false);
        }
    }
    separated(form.len())
}

/// The separators in a block, as bits.
#[inline(always)]
fn separators(block: &[u8; 64]) -> u64 {
    bits(&block.map(|byte| u8::from(byte == b'&')))
}

/// About the number of parameters, and rarely less, from a sixteenth of the form.
fn estimated_count(form: &[u8]) -> usize {
    let counted = form.chunks(CHUNK_BYTES).step_by(16);
    let bytes: usize = counted.clone().map(<[u8]>::len).sum();
    let separators = counted.flatten().filter(|byte| **byte == b'&').count();
    let estimated = separators as u64 * form.len() as u64 / bytes.max(1) as u64;
    let estimated = (estimated + estimated / 32) as usize + 64;
    // What was counted may be unlike the rest.
    estimated.min(form.len() / MIN_BYTES)
}

#[inline(always)]
fn check_name(parameter: &[u8], place: &str) -> Result<()> {
    // Most names begin with another letter.
    match parameter {
        [b'o' | b'%', ..] if name_begins_with(parameter, PROTOCOL_PREFIX.as_bytes()) => {
            let (mut name, mut parameter) = (Vec::new(), parameter);
            let end = encode_parameter(&mut parameter, &mut name);
            name.truncate(end.unwrap_or(name.len()));
            Err(reserved_name(&name, place))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

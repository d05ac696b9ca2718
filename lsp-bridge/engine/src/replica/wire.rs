//! Updates as they cross the wire (Yjs, v1 encoding), as far as a text needs them.

use yrs::block::ItemContent;
use yrs::encoding::read::{Error, Read};
use yrs::encoding::write::Write;
use yrs::updates::decoder::{Decode, Decoder, DecoderV1};
use yrs::updates::encoder::{Encode, Encoder, EncoderV1};
use yrs::{ClientID, ID, IdSet};

/// The name of the root text (the project's protocol fixes it).
pub(super) const CONTENT: &str = "content";
/// Stands for whatever a foreign client has put between the characters (an embed of a rich text
/// editor): one UTF-16 unit long, as in the document.
const EMBED: &str = "\u{fffc}";

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;
const KIND: u8 = 0x1f;
const GC: u8 = 0;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const SKIP: u8 = 10;

/// An update.
#[derive(Debug)]
pub(super) struct Parsed {
    /// What it brings; of each client in ascending order of clocks.
    pub(super) structs: Vec<Struct>,
    /// What it deletes.
    pub(super) deleted: IdSet,
}

impl Parsed {
    /// Whether it belongs to the text alone, as far as it names a parent: nothing in it can be put
    /// where nothing can be put.
    pub(super) fn is_plain(&self) -> bool {
        let is_plain = |one: &Struct| match one.kind {
            Kind::Item { parent, .. } => parent != Parent::Other,
            Kind::Collected | Kind::Missing => true,
        };
        self.structs.iter().all(is_plain)
    }
}

/// A run of units that one client has made.
#[derive(Debug)]
pub(super) struct Struct {
    pub(super) id: ID,
    pub(super) len: u32,
    pub(super) kind: Kind,
}

/// What a [`Struct`] is.
#[derive(Debug)]
pub(super) enum Kind {
    /// Part of some sequence or map.
    Item {
        origin: Option<ID>,
        right_origin: Option<ID>,
        parent: Parent,
        content: Content,
    },
    /// Collected: it was part of something that is deleted altogether.
    Collected,
    /// Left out: the update has a hole here.
    Missing,
}

/// Where an item belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// Where its origins belong.
    Inherited,
    /// To the text.
    Text,
    /// To something else in the document.
    Other,
}

/// What an item holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Characters.
    Text(String),
    /// Nothing that shows: deleted, or a mark of a rich text editor.
    Hidden,
}

/// Reads an update.
pub(super) fn parse(update: &[u8]) -> Result<Parsed, Error> {
    let mut decoder = DecoderV1::from(update);
    let clients: u32 = decoder.read_var()?;
    let mut structs = Vec::new();
    for _ in 0..clients {
        let count: u32 = decoder.read_var()?;
        let client = decoder.read_client()?;
        let mut clock: u32 = decoder.read_var()?;
        for _ in 0..count {
            let one = read_struct(&mut decoder, ID::new(client, clock))?;
            clock = clock.checked_add(one.len).ok_or(Error::UnexpectedValue)?;
            // yrs leaves out empty items, too.
            if one.len > 0 {
                structs.push(one);
            }
        }
    }
    let deleted = IdSet::decode(&mut decoder)?;
    Ok(Parsed { structs, deleted })
}

fn read_struct(decoder: &mut DecoderV1, id: ID) -> Result<Struct, Error> {
    let info = decoder.read_info()?;
    let (len, kind) = match info {
        GC => (decoder.read_len()?, Kind::Collected),
        SKIP => (decoder.read_var()?, Kind::Missing),
        _ => {
            let origin = (info & HAS_ORIGIN != 0).then(|| decoder.read_left_id());
            let origin = origin.transpose()?;
            let right_origin = (info & HAS_RIGHT_ORIGIN != 0).then(|| decoder.read_right_id());
            let right_origin = right_origin.transpose()?;
            let parent = if origin.is_some() || right_origin.is_some() {
                Parent::Inherited
            } else {
                read_parent(decoder, info)?
            };
            let content = ItemContent::decode(decoder, info & KIND)?;
            let len = content.len_utf16();
            let content = match content {
                ItemContent::String(text) => Content::Text(text.as_str().to_owned()),
                _ if content.is_countable() => Content::Text(EMBED.repeat(len as usize)),
                _ => Content::Hidden,
            };
            let item = Kind::Item {
                origin,
                right_origin,
                parent,
                content,
            };
            (len, item)
        }
    };
    Ok(Struct { id, len, kind })
}

fn read_parent(decoder: &mut DecoderV1, info: u8) -> Result<Parent, Error> {
    let is_text = if decoder.read_parent_info()? {
        decoder.read_string()? == CONTENT
    } else {
        decoder.read_left_id()?;
        false
    };
    if info & HAS_PARENT_SUB != 0 {
        decoder.read_string()?;
        return Ok(Parent::Other);
    }
    Ok(if is_text { Parent::Text } else { Parent::Other })
}

/// Characters that were typed in one place.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) id: ID,
    pub(super) origin: Option<ID>,
    pub(super) right_origin: Option<ID>,
    pub(super) text: String,
}

/// A run of units in a whole state.
#[derive(Debug)]
pub(super) enum Run {
    /// Characters.
    Text(Typed),
    /// Deleted characters.
    Deleted {
        len: u32,
        origin: Option<ID>,
        right_origin: Option<ID>,
    },
    /// What is not part of the text.
    Collected(u32),
}

/// Writes a whole state: of each client everything, from clock 0 on.
pub(super) fn write_state(clients: &[(ClientID, Vec<Run>)]) -> Vec<u8> {
    let mut encoder = EncoderV1::new();
    encoder.write_var(clients.len() as u32);
    for (client, runs) in clients {
        encoder.write_var(runs.len() as u32);
        encoder.write_client(*client);
        encoder.write_var(0u32);
        for run in runs {
            match run {
                Run::Text(typed) => write_typed(&mut encoder, typed),
                Run::Deleted {
                    len,
                    origin,
                    right_origin,
                } => {
                    write_start(&mut encoder, DELETED, *origin, *right_origin);
                    encoder.write_len(*len);
                }
                Run::Collected(len) => {
                    encoder.write_info(GC);
                    encoder.write_len(*len);
                }
            }
        }
    }
    IdSet::new().encode(&mut encoder);
    encoder.to_vec()
}

/// Writes the update of one client: `typed` in ascending order of clocks.
pub(super) fn write(client: ClientID, typed: &[Typed], deleted: &IdSet) -> Vec<u8> {
    let mut encoder = EncoderV1::new();
    encoder.write_var(u32::from(!typed.is_empty()));
    if let Some(first) = typed.first() {
        encoder.write_var(typed.len() as u32);
        encoder.write_client(client);
        encoder.write_var(first.id.clock);
    }
    typed.iter().for_each(|one| write_typed(&mut encoder, one));
    deleted.encode(&mut encoder);
    encoder.to_vec()
}

/// An update of one client without saying which, and which of its units it is: between what its text stands,
/// the text, and what it deletes. The same of two updates means that they do the same.
pub(super) fn nameless(update: &[u8]) -> Result<Vec<u8>, Error> {
    let parsed = parse(update)?;
    let mut encoder = EncoderV1::new();
    for one in parsed.structs {
        if let Kind::Item {
            origin,
            right_origin,
            content: Content::Text(text),
            ..
        } = one.kind
        {
            let id = ID::new(ClientID::new(0), 0);
            let typed = Typed {
                id,
                origin,
                right_origin,
                text,
            };
            write_typed(&mut encoder, &typed);
        }
    }
    parsed.deleted.encode(&mut encoder);
    Ok(encoder.to_vec())
}

fn write_typed(encoder: &mut EncoderV1, typed: &Typed) {
    write_start(encoder, STRING, typed.origin, typed.right_origin);
    encoder.write_string(&typed.text);
}

fn write_start(encoder: &mut EncoderV1, kind: u8, origin: Option<ID>, right_origin: Option<ID>) {
    let has = |id: Option<ID>, flag| if id.is_some() { flag } else { 0 };
    let flags = has(origin, HAS_ORIGIN) | has(right_origin, HAS_RIGHT_ORIGIN);
    encoder.write_info(kind | flags);
    origin.iter().for_each(|id| encoder.write_left_id(id));
    right_origin
        .iter()
        .for_each(|id| encoder.write_right_id(id));
    if flags == 0 {
        encoder.write_parent_info(true);
        encoder.write_string(CONTENT);
    }
}

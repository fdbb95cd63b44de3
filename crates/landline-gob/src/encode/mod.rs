//! Rust values to gob.

mod collections;
mod descriptor;
mod dynamic;
mod fields;
mod pen;
mod plain;
mod position;
mod ser;
mod types;
mod writer;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Signal};
use crate::hash::ByTypeId;
use crate::limits::{Limit, Limits};
use crate::schema::{Elem, Graph, Tag, Type};
use crate::trace;
use crate::value::Value;
use pen::Pen;
use position::Element;
use ser::Ser;
use types::Types;

pub use writer::Writer;

/// What can be encoded: everything that derives serde's `Serialize` and `Deserialize`, borrowed data included.
///
/// A gob stream describes its types, and `Deserialize` is what says what a type is made of, whatever the value at hand
/// holds: the element of an empty slice, what is within a `None`. A type that has only `Serialize` may say it itself:
///
/// ```
/// use landline_gob::{Encode, Error, Type};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Reading<'a> {
///     #[serde(rename = "Of")]
///     of: &'a [&'a str],
/// }
///
/// impl Encode for Reading<'_> {
///     fn gob_type() -> Result<Type, Error> {
///         "Reading struct { Of []string }".parse()
///     }
/// }
///
/// landline_gob::to_vec(&Reading { of: &[] })?;
/// # Ok::<(), Error>(())
/// ```
pub trait Encode: Serialize {
    /// The type that it is in gob.
    ///
    /// # Errors
    ///
    /// As [`Type::of`].
    fn gob_type() -> Result<Type, Error>;
}

impl<T: Serialize + Deserialize<'static>> Encode for T {
    fn gob_type() -> Result<Type, Error> {
        trace::type_of::<T>()
    }
}

/// Writes the values of one stream, each type described once, before it is needed first.
///
/// It does no I/O: values are appended to a buffer of the caller's, who sends it on whenever that suits, with many values at
/// a time. [`Writer`] writes to an [`std::io::Write`].
///
/// ```
/// use landline_gob::Encoder;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Point {
///     x: i64,
///     y: i64,
/// }
///
/// let mut encoder = Encoder::new();
/// let mut buffer = Vec::new();
/// encoder.encode(&Point { x: 22, y: 33 }, &mut buffer)?;
/// let with_type = buffer.len();
/// encoder.encode(&Point { x: 23, y: 0 }, &mut buffer)?;
/// assert_eq!(buffer[with_type..], [5, 0xff, 0x80, 1, 46, 0]);
/// # Ok::<(), landline_gob::Error>(())
/// ```
///
/// Once a value of each type was encoded, encoding allocates nothing but what the buffer grows by.
#[derive(Debug)]
pub struct Encoder {
    types: Types,
    pen: Pen,
    /// Rust types that were encoded before, and the one that was last.
    roots: HashMap<TypeId, Elem, ByTypeId>,
    last_root: Option<(TypeId, Elem)>,
    /// Graphs of given types and of dynamic values, kept alive as long as `pen.brought` knows them by their address.
    graphs: Vec<Arc<Graph>>,
    limits: Limits,
}

/// More graphs than this are forgotten and looked at anew; their types stay known.
const MOST_GRAPHS: usize = 64;

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// The encoder of a new stream.
    #[must_use]
    pub fn new() -> Encoder {
        let limits = Limits::default();
        let mut pen = Pen::default();
        pen.deepest = limits.depth;
        Encoder {
            types: Types::new(),
            pen,
            roots: HashMap::default(),
            last_root: None,
            graphs: Vec::new(),
            limits,
        }
    }

    /// Writes the entries of maps in the order of their keys, so that equal values are equal bytes; off by default, when they
    /// come in the order of the Rust map.
    ///
    /// Numbers are put in order by size, texts by their bytes, other keys by what they are on the wire.
    #[must_use]
    pub fn sorted(mut self, sorted: bool) -> Encoder {
        self.pen.sorted = sorted;
        self
    }

    /// The Go package of structs whose name does not say it, `main` by default.
    ///
    /// It is part of the names of slices, arrays and maps in struct fields, as in `[]main.Point`. Nothing depends on them:
    /// this is for the same bytes as Go's. `#[serde(rename = "shapes.Point")]` says it for one struct.
    #[must_use]
    pub fn package(mut self, package: &str) -> Encoder {
        self.types.set_package(package);
        self
    }

    /// How deep values may nest and how long they may be; of the rest of [`Limits`] an encoder takes no notice.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Encoder {
        self.limits = limits;
        self.pen.deepest = limits.depth;
        self
    }

    /// Appends a value to `out`, after descriptions of the types that the peer does not know yet.
    ///
    /// # Errors
    ///
    /// When gob has nothing like the value or its type; the path in the error leads to it. Then nothing is appended and the
    /// stream goes on as if the value had not been there.
    #[inline]
    pub fn encode<T: Encode>(&mut self, value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        let root = match self.last_root {
            Some((id, root)) if id == typeid::of::<T>() => root,
            _ => self.root::<T>()?,
        };
        self.write(root, false, out, |graph, pen| put(graph, pen, root, value))
    }

    /// Appends anything that can be serialized, as a value of a given type.
    ///
    /// For what does not implement `Deserialize`, and for values out of other formats: a map becomes a struct by the names
    /// of its entries, numbers become those of the type as far as they fit, a text becomes bytes (from base64) or a
    /// `time.Time`, nothing leaves a field out.
    ///
    /// ```
    /// use landline_gob::{Encoder, Type};
    ///
    /// let of: Type = "Args struct { A int; B []string }".parse()?;
    /// let json = serde_json::json!({"B": ["x"], "A": 7});
    /// let mut buffer = Vec::new();
    /// Encoder::new().encode_as(&of, &json, &mut buffer)?;
    /// # Ok::<(), landline_gob::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`encode`](Encoder::encode), and when the value does not fit the type.
    pub fn encode_as<T: Serialize + ?Sized>(
        &mut self,
        of: &Type,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let root = self.place_of(&of.graph, of.root)?;
        self.write(root, true, out, |graph, pen| put(graph, pen, root, value))
    }

    /// Appends a dynamic value as what it is.
    ///
    /// # Errors
    ///
    /// When it nests deeper, or is longer, than the limits allow.
    pub fn encode_value(&mut self, value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
        let root = self.place_of(&value.graph, value.elem)?;
        self.write(root, false, out, |_, pen| {
            let mut bytes = value.bytes();
            if value.holds_interface {
                dynamic::copy(&value.graph, value.elem, &mut bytes, pen)
            } else {
                pen.bytes.extend_from_slice(bytes);
                Ok(())
            }
        })
    }

    #[inline]
    fn write(
        &mut self,
        root: Elem,
        given: bool,
        out: &mut Vec<u8>,
        mut put: impl FnMut(&Graph, &mut Pen) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.graphs.len() > MOST_GRAPHS {
            self.graphs.clear();
            self.pen.brought.clear();
        }
        loop {
            self.pen.begin(given);
            if root.tag != Tag::Struct {
                self.pen.bytes.push(0);
            }
            match put(&self.types.graph, &mut self.pen) {
                Ok(()) => break,
                Err(error) => self.bring(error)?,
            }
        }
        if self.pen.bytes.len() > self.limits.message {
            return Err(Error::limit(Limit::Message, self.pen.bytes.len(), self.limits.message));
        }
        self.pen.finish(&mut self.types, root, out);
        Ok(())
    }

    fn root<T: Encode>(&mut self) -> Result<Elem, Error> {
        let id = typeid::of::<T>();
        let root = match self.roots.get(&id) {
            Some(root) => *root,
            None => {
                let root = self.types.import(&T::gob_type()?)?;
                self.roots.insert(id, root);
                root
            }
        };
        self.last_root = Some((id, root));
        Ok(root)
    }

    /// Takes in the type of a dynamic value that was come upon, so that another try gets further.
    #[cold]
    fn bring(&mut self, error: Error) -> Result<(), Error> {
        match self.pen.wanted.take() {
            Some((graph, place)) if error.signal() == Signal::Import => {
                self.place_of(&graph, graph.elem(place)).map(|_| ())
            }
            _ => Err(error),
        }
    }

    fn place_of(&mut self, graph: &Arc<Graph>, elem: Elem) -> Result<Elem, Error> {
        let key = (Arc::as_ptr(graph).addr(), elem.node);
        if let Some(known) = self.pen.brought.get(&key) {
            return Ok(Elem { pointers: elem.pointers, ..*known });
        }
        let local = self.types.import_from(graph, elem.node)?;
        if !self.graphs.iter().any(|known| Arc::ptr_eq(known, graph)) {
            self.graphs.push(graph.clone());
        }
        self.pen.brought.insert(key, local);
        Ok(Elem { pointers: elem.pointers, ..local })
    }
}

/// Writes a value.
///
/// Apart from the loop around it: in there, all that a value needs is worked out, and kept, before any of it is written.
#[inline(never)]
fn put<T: Serialize + ?Sized>(graph: &Graph, pen: &mut Pen, root: Elem, value: &T) -> Result<(), Error> {
    value.serialize(Ser::new(graph, pen, root, Element))
}

/// Encodes one value as a stream of its own.
///
/// # Errors
///
/// As [`Encoder::encode`].
///
/// ```
/// assert_eq!(landline_gob::to_vec(&"hi".to_owned())?, [5, 12, 0, 2, b'h', b'i']);
/// # Ok::<(), landline_gob::Error>(())
/// ```
pub fn to_vec<T: Encode>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    Encoder::new().encode(value, &mut out)?;
    Ok(out)
}

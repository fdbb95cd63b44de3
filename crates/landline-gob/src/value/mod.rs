//! Values of types that are not known beforehand.

mod base64;
mod convert;
mod infer;
mod serde;
pub(crate) mod slot;
mod text;
mod view;
pub(crate) mod walk;

use std::fmt;
use std::sync::{Arc, LazyLock};

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;

use crate::decode::Decoder;
use crate::encode::{Encode, Encoder};
use crate::error::{Error, ErrorKind};
use crate::schema::{Elem, Graph, Tag, Type, basic};

pub use self::serde::Typed;
pub(crate) use self::text::bytes_of_text;
pub use self::view::{Entries, Fields, Held, Items, View};

/// A gob value of any type, with its type.
///
/// Any stream decodes into these; they can be looked into, printed, sent on, and turned into Rust values once it is known
/// which. They take little more memory than they have bytes on the wire.
///
/// ```
/// use landline_gob::{Decoder, Encoder, View};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Point {
///     x: i64,
///     y: i64,
/// }
///
/// let mut stream = Vec::new();
/// Encoder::new().encode(&Point { x: 22, y: 0 }, &mut stream)?;
/// let value = Decoder::new().decode_value(&mut &stream[..])?.expect("all of it is there");
/// assert_eq!(value.gob_type().to_string(), "Point struct { x int; y int }");
/// assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"x":22,"y":0}"#);
/// match value.view() {
///     View::Struct(fields) => assert!(matches!(fields.get("x"), Some(View::Int(22)))),
///     other => panic!("{other:?}"),
/// }
///
/// let mut again = Vec::new();
/// Encoder::new().encode_value(&value, &mut again)?;
/// assert_eq!(again, stream);
/// # Ok::<(), landline_gob::Error>(())
/// ```
///
/// In a Rust type it is Go's `any`: `HashMap<String, Value>` is `map[string]any`. Sent as such, it has to be of a type
/// that Go knows from the start, or have a name under which Go has registered its type, see
/// [`registered`](Value::registered).
///
/// # In other formats
///
/// `Serialize` makes of it what Go's `encoding/json` would: structs are objects with all their fields, bytes are base64,
/// times are RFC 3339, a `big.Int` is a number (a text, beyond 128 bits), interfaces what they hold. Types that Go encodes
/// by a method of their own are told by their names; behind a pointer they have none, and are base64, unless
/// [`to_type`](Value::to_type) says what they are. [`typed`](Value::typed) says the types too. `Deserialize` from such
/// a format guesses: an object is a struct, a number without a fraction an `int`, a list of one kind a slice of that.
#[derive(Clone)]
pub struct Value {
    pub(crate) graph: Arc<Graph>,
    pub(crate) elem: Elem,
    pub(crate) bytes: Arc<[u8]>,
    /// Whether it is an interface, or may have one in it.
    pub(crate) holds_interface: bool,
    /// Whether its type was given here: that of a peer does not say what is behind a pointer.
    pub(crate) is_declared: bool,
}

static BASICS: LazyLock<Arc<Graph>> = LazyLock::new(|| Arc::new(Graph::new()));

impl Value {
    /// The value of an interface that holds nothing.
    pub fn nil() -> Value {
        let (graph, bytes) = (BASICS.clone(), Arc::from([0]));
        Value { graph, elem: basic::ANY, bytes, holds_interface: true, is_declared: false }
    }

    /// A Rust value.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`].
    pub fn of<T: Encode>(value: &T) -> Result<Value, Error> {
        let mut bytes = Vec::new();
        Encoder::new().encode(value, &mut bytes)?;
        Value::of_stream(&bytes)
    }

    /// Anything that can be serialized, as a value of a given type.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_as`].
    pub fn of_type<T: Serialize + ?Sized>(of: &Type, value: &T) -> Result<Value, Error> {
        let mut bytes = Vec::new();
        Encoder::new().encode_as(of, value, &mut bytes)?;
        Value::of_stream(&bytes)
    }

    fn of_stream(bytes: &[u8]) -> Result<Value, Error> {
        // It is ours, and may be as large as it is.
        let limits = crate::Limits::default().memory(64, 1 << 20).message(usize::MAX).types(usize::MAX);
        Decoder::new()
            .limits(limits)
            .decode_value(&mut &bytes[..])?
            .ok_or_else(|| ErrorKind::Truncated.into())
    }

    /// The value as an interface that holds it, under the name by which Go has registered its type: `main.Point`.
    #[must_use]
    pub fn registered(&self, name: &str) -> Value {
        let mut bytes = Vec::with_capacity(name.len() + self.bytes.len() + 8);
        crate::number::put_uint(&mut bytes, name.len() as u64);
        bytes.extend_from_slice(name.as_bytes());
        crate::number::put_uint(&mut bytes, self.elem.node.into());
        bytes.extend_from_slice(&self.bytes);
        Value {
            graph: self.graph.clone(),
            elem: basic::ANY,
            bytes: bytes.into(),
            holds_interface: true,
            is_declared: self.is_declared,
        }
    }

    /// The value as a Rust one, by the rules of [`Decoder`].
    ///
    /// # Errors
    ///
    /// When it does not fit a `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let mut bytes = Vec::new();
        Encoder::new().encode_value(self, &mut bytes)?;
        let limits = crate::Limits::default().message(usize::MAX);
        Decoder::new().limits(limits).decode(&mut &bytes[..])?.ok_or_else(|| ErrorKind::Truncated.into())
    }

    /// The value as one of another type, by the rules of [`Decoder`]: fields are matched by name, those that the type does
    /// not have are left out, numbers have to fit.
    ///
    /// So a value gets what its peer has not said of it: which type bytes are that Go encodes by a method of its own.
    ///
    /// ```
    /// use landline_gob::{Type, Value};
    /// use landline_gob::go::BigInt;
    ///
    /// // What is behind a pointer has no name on the wire.
    /// let value = Value::of(&Some(BigInt::from(-300)))?;
    /// assert_eq!(serde_json::to_string(&value).unwrap(), r#""AwEs""#);
    /// let of: Type = "big.Int".parse()?;
    /// assert_eq!(serde_json::to_string(&value.to_type(&of)?).unwrap(), "-300");
    /// # Ok::<(), landline_gob::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When it does not fit the type.
    pub fn to_type(&self, of: &Type) -> Result<Value, Error> {
        convert::convert(self, of)
    }

    /// Its type.
    pub fn gob_type(&self) -> Type {
        Type { graph: self.graph.clone(), root: self.elem }
    }

    /// A look at it: what it is, and what is in it.
    pub fn view(&self) -> View<'_> {
        View::of(&self.graph, self.elem, &mut self.bytes())
    }

    /// The value to be serialized with its types, as `{"type": …, "value": …}`, and with
    /// `{"type": …, "value": …}` for what interfaces hold, by the names under which it is registered.
    pub fn typed(&self) -> Typed<'_> {
        Typed(self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is an interface that holds nothing.
    pub fn is_nil(&self) -> bool {
        self.elem.tag == Tag::Interface && *self.bytes == [0]
    }
}

impl PartialEq for Value {
    /// Whether both have the same type and the same bytes; of maps, also the same order.
    fn eq(&self, other: &Value) -> bool {
        if self.gob_type() != other.gob_type() {
            return false;
        }
        if !self.holds_interface {
            return self.bytes == other.bytes;
        }
        self.view() == other.view()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.view())
    }
}

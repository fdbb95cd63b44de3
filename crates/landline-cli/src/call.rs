//! `landline call`: call a method of a server that speaks Go's net/rpc.

use clap::{Args, ValueEnum};
use landline_gob::Value;
use landline_rpc::{ClientConfig, Error, Reconnect, Wire};

use crate::failure::{Failure, is_usage};
use crate::output;
use crate::values::{self, Span};

/// Call a method of a server that speaks Go's net/rpc, with arguments and reply as JSON.
///
/// Gob needs to know what the arguments are. By default that is read off the JSON: a whole number is an int, any other a
/// float64, an object a struct with its fields, a list a slice. Where that is not what the method takes (an unsigned
/// number, bytes, a map, a time), or cannot be read off (an empty list), --type says it in the syntax of Go.
///
/// A reply says of itself what it is, but for types that Go encodes by a method of their own: a time.Time, a *big.Int and
/// the like come without a name, and are printed as base64. --reply-type says what they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline call localhost:1234 Arith.Multiply '{\"A\": 7, \"B\": 8}'
  landline call localhost:1234 Counter.Add 5 --type uint64
  landline call localhost:1234 Store.Put '{\"Key\": \"x\", \"At\": \"2026-01-02T03:04:05Z\"}' \\
      --type 'struct { Key string; At time.Time }'
  landline call localhost:1234 Clock.Now --reply-type time.Time
  landline call localhost:1234 Store.Get '{\"Key\": \"x\"}' \\
      --reply-type 'struct { Size *big.Int; At time.Time }'
  landline call --codec json /run/calc.sock Arith.Divide '{\"A\": 7, \"B\": 2}'
  landline call --http localhost:8080 Arith.Multiply '{\"A\": 7, \"B\": 8}'

Exit status: 0 done, 1 the network or the method said no, 2 bad usage.")]
pub(crate) struct Call {
    /// HOST:PORT, or the /path or @name of a Unix socket
    address: String,
    /// What to call: Service.Method
    method: String,
    /// The arguments [default: an empty object]
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    args: Option<String>,
    /// How calls are written: gob as in net/rpc, or json as in net/rpc/jsonrpc
    #[arg(long, default_value = "gob")]
    codec: Codec,
    /// Begin with the HTTP handshake, CONNECT /_goRPC_
    #[arg(long)]
    http: bool,
    /// The type of the arguments, in the syntax of Go
    #[arg(long = "type", value_name = "T")]
    of: Option<String>,
    /// The type of the reply, in the syntax of Go; fields that it does not have are left out
    ///
    /// Known are time.Time, big.Int, big.Rat, big.Float, url.URL, netip.Addr, netip.AddrPort and netip.Prefix, printed
    /// as Go prints them in JSON (a url.URL as its text), and any type made of these.
    #[arg(long, value_name = "T")]
    reply_type: Option<String>,
    /// How long it may take, the dial included, such as 250ms, 1.5s or 2m; 0 for as long as it takes
    #[arg(long, value_name = "D", default_value = "30s", value_parser = values::limit, allow_hyphen_values = true)]
    timeout: Span,
    /// The longest message in bytes, of the call and of its reply, such as 500k or 1G
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = values::size, allow_hyphen_values = true)]
    max_message: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Codec {
    Gob,
    Json,
}

impl Call {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let text = self.args.as_deref().unwrap_or("{}");
        let json: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| Failure::Usage(format!("{text}: not JSON: {error}")))?;
        let reply = match self.codec {
            Codec::Gob => {
                let args = self.value(&json)?;
                let of =
                    self.reply_type.as_deref().map(|of| values::go_type("--reply-type", of)).transpose()?;
                let client = self.dial(Wire::Gob).await?;
                let reply =
                    client.call_value(&self.method, &args).await.map_err(|error| self.failure(&error))?;
                let refuse = |error| Failure::Refused(format!("{}: reply: {error}", self.method));
                let reply = match of {
                    Some(of) => reply.to_type(&of).map_err(refuse)?,
                    None => reply,
                };
                serde_json::to_string(&reply)
            }
            Codec::Json if self.of.is_some() => {
                return Err(Failure::Usage("--type: has no effect with --codec json".to_owned()));
            }
            Codec::Json if self.reply_type.is_some() => {
                return Err(Failure::Usage("--reply-type: has no effect with --codec json".to_owned()));
            }
            Codec::Json => {
                let client = self.dial(Wire::Json).await?;
                let reply = client.call::<_, serde_json::Value>(&self.method, &json).await;
                serde_json::to_string(&reply.map_err(|error| self.failure(&error))?)
            }
        };
        let reply = reply.map_err(|error| Failure::Refused(format!("{}: {error}", self.method)))?;
        output::print(&format!("{reply}\n"))
    }

    /// The arguments as gob has them.
    fn value(&self, json: &serde_json::Value) -> Result<Value, Failure> {
        match &self.of {
            Some(of) => {
                let parsed = values::go_type("--type", of)?;
                Value::of_type(&parsed, json).map_err(|error| Failure::Usage(format!("--type {of}: {error}")))
            }
            None if has_empty_list(json) => Err(Failure::Usage(format!(
                "{json}: nothing says what an empty list is a list of; --type does, as in --type '[]int'"
            ))),
            None => serde_json::from_value(json.clone())
                .map_err(|error| Failure::Usage(format!("{json}: {error}; --type says what it is"))),
        }
    }

    async fn dial(&self, wire: Wire) -> Result<landline_rpc::Client, Failure> {
        let config = ClientConfig::new().codec(wire).http(self.http).reconnect(Reconnect::Never);
        let config = config.max_message(self.max_message);
        let config = if self.timeout.0.is_zero() { config } else { config.timeout(self.timeout.0) };
        let network = if self.address.starts_with(['/', '@', '.']) { "unix" } else { "tcp" };
        config.dial(network, &self.address).await.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &Error) -> Failure {
        match error {
            Error::Dial(error) if is_usage(error) => Failure::Usage(error.to_string()),
            Error::Dial(error) => Failure::Refused(error.to_string()),
            Error::Handshake(_) => Failure::Refused(format!("{}: {error}", self.address)),
            _ => Failure::Refused(format!("{}: {error}", self.method)),
        }
    }
}

/// A list without elements does not say what they would be.
fn has_empty_list(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Array(list) => list.is_empty() || list.iter().any(has_empty_list),
        serde_json::Value::Object(fields) => fields.values().any(has_empty_list),
        _ => false,
    }
}

//! `landline gob`: print a stream of gob values as JSON.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Read, StdoutLock, Write};
use std::path::PathBuf;
use std::rc::Rc;

use clap::Args;
use landline_gob::{Decoder, ErrorKind, Limits, Reader, Value};

use crate::failure::Failure;
use crate::output;
use crate::values;

/// Print the values of a gob stream as JSON, with their types.
///
/// Gob is what programs in Go send each other and keep in files. A stream says of itself what is in it; each value
/// becomes a line: its type in the syntax of Go, and the value as Go would write it in JSON. Bytes are base64, and what an
/// interface holds has the name of its type with it.
///
/// Of a type that Go encodes by a method of its own, a stream says the name and the method, as in "Time GobEncoder", and
/// not what its bytes are; behind a pointer, not even the name. Those whose name is that of a type known here (Time, Int,
/// Rat, Float, URL, Addr, AddrPort, Prefix) and whose bytes are such a one are printed as Go does in JSON; others are
/// base64. --type says what they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline gob cache.gob
  landline gob --values cache.gob | jq .Name
  landline gob --type 'struct { At time.Time; Size *big.Int }' cache.gob
  nc -l 9000 | landline gob

A value that is broken or would take too much memory is told of on stderr, and the next one
follows, unless the stream itself is broken.

Exit status: 0 done, 1 the stream or a value in it could not be read, 2 bad usage.")]
pub(crate) struct Gob {
    /// The file, - for stdin
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Print the values without their types
    #[arg(long)]
    values: bool,
    /// Take every value for one of this type, in the syntax of Go; fields that it does not have are left out
    #[arg(long = "type", value_name = "T")]
    of: Option<String>,
    /// The longest value in bytes, such as 500k or 2G; room for it is only made as it comes
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = values::size, allow_hyphen_values = true)]
    max_message: usize,
}

impl Gob {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        // Aside, because reading blocks, and signals are to be heard meanwhile.
        let printing = tokio::task::spawn_blocking(move || self.print());
        printing.await.unwrap_or_else(|error| Err(Failure::Refused(error.to_string())))
    }

    fn print(&self) -> Result<(), Failure> {
        let name = if self.is_stdin() { "standard input".into() } else { self.file.to_string_lossy() };
        let input: Box<dyn Read> = if self.is_stdin() {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.file).map_err(|error| of_input(&name, &error))?)
        };
        let of = self.of.as_deref().map(|of| values::go_type("--type", of)).transpose()?;
        let output = Rc::new(RefCell::new(BufWriter::new(io::stdout().lock())));
        let decoder = Decoder::new().limits(Limits::default().message(self.max_message));
        let mut reader = Reader::with_decoder(decoder, Tied { input, output: output.clone(), failed: None });
        let mut status = 0;
        loop {
            let decoded = reader.decode_value();
            let decoded = match &of {
                Some(of) => decoded.and_then(|value| value.map(|value| value.to_type(of)).transpose()),
                None => decoded,
            };
            match decoded {
                Ok(Some(value)) => self.write(&value, &mut *output.borrow_mut()).map_err(of_output)?,
                Ok(None) => break,
                Err(error) => {
                    if let Some(error) = reader.get_mut().failed.take() {
                        return Err(of_output(error));
                    }
                    // The values before it come first.
                    output.borrow_mut().flush().map_err(of_output)?;
                    let failure = match error.kind() {
                        ErrorKind::Io(error) => of_input(&name, error),
                        _ => Failure::Refused(format!("{name}: {error}")),
                    };
                    if error.is_fatal() {
                        return Err(failure);
                    }
                    if let Some(message) = failure.message() {
                        output::complain(message);
                    }
                    status = 1;
                }
            }
        }
        output.borrow_mut().flush().map_err(of_output)?;
        if status == 0 { Ok(()) } else { Err(Failure::Told(status)) }
    }

    fn is_stdin(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    /// A value on a line of its own.
    fn write(&self, value: &Value, output: &mut impl Write) -> io::Result<()> {
        if self.values {
            serde_json::to_writer(&mut *output, value)?;
        } else {
            serde_json::to_writer(&mut *output, &value.typed())?;
        }
        output.write_all(b"\n")
    }
}

/// An input before each read of which all output goes out: it may be a while until more comes.
struct Tied {
    input: Box<dyn Read>,
    output: Rc<RefCell<BufWriter<StdoutLock<'static>>>>,
    /// Why the output could not go out, which is not an error of the input.
    failed: Option<io::Error>,
}

impl Read for Tied {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.output.borrow_mut().flush() {
            let kind = error.kind();
            self.failed = Some(error);
            return Err(kind.into());
        }
        self.input.read(buffer)
    }
}

fn of_input(name: &str, error: &io::Error) -> Failure {
    match Failure::of_file(name, error) {
        // Files and pipes that are read do not have that.
        Failure::ReaderGone => Failure::Refused(format!("{name}: broken pipe")),
        failure => failure,
    }
}

#[allow(clippy::needless_pass_by_value)] // As it is given by `map_err`.
fn of_output(error: io::Error) -> Failure {
    Failure::of_file("standard output", &error)
}

// Writes and reads gob streams of known values, for tests of the other side.
//
// Go counts the ids of types over the whole process, so every stream is written by a process of its own.
package main

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
)

const usage = `usage:
  gob vectors            all streams, a line each: its name and its bytes in hex
  gob write CASE         the stream of that name
  gob read CASE          reads a stream, which must be that one's values
  gob random SEED COUNT  a stream of so many values of random types
  gob check SEED COUNT   reads a stream, which must be those values`

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 1 && args[0] == "vectors":
		vectors()
	case len(args) == 2 && args[0] == "write":
		write(values(args[1]))
	case len(args) == 2 && args[0] == "read":
		read(values(args[1]))
	case len(args) == 3 && args[0] == "random":
		write(random(number(args[1]), number(args[2])))
	case len(args) == 3 && args[0] == "check":
		read(random(number(args[1]), number(args[2])))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func vectors() {
	self, err := os.Executable()
	check(err)
	for _, c := range cases {
		stream, err := exec.Command(self, "write", c.name).Output()
		check(err)
		fmt.Println(c.name, hex.EncodeToString(stream))
	}
}

func values(name string) []any {
	for _, c := range cases {
		if c.name == name {
			return c.values()
		}
	}
	check(fmt.Errorf("no case %s", name))
	return nil
}

func write(values []any) {
	encoder := gob.NewEncoder(os.Stdout)
	for _, value := range values {
		check(encoder.Encode(value))
	}
}

func read(values []any) {
	decoder := gob.NewDecoder(os.Stdin)
	for i, value := range values {
		// What is given as a pointer is so for its methods, or to be an interface.
		want := reflect.ValueOf(value)
		if want.Kind() == reflect.Pointer {
			want = want.Elem()
		}
		got := reflect.New(want.Type())
		check(decoder.DecodeValue(got))
		if expected := addressable(want); !bytes.Equal(encoded(got), encoded(expected)) {
			check(fmt.Errorf("value %d: got %+v, want %+v", i, got.Elem(), want))
		}
	}
	if err := decoder.DecodeValue(reflect.Value{}); err == nil {
		check(fmt.Errorf("there are more than %d values", len(values)))
	}
}

// encoded is what two values are compared by: what gob does not send, and what is left of it there, is not compared.
func encoded(value reflect.Value) []byte {
	var buffer bytes.Buffer
	check(gob.NewEncoder(&buffer).EncodeValue(value))
	return buffer.Bytes()
}

func addressable(value reflect.Value) reflect.Value {
	pointer := reflect.New(value.Type())
	pointer.Elem().Set(value)
	return pointer
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Gob: one value, encoded or decoded over and over on one stream, where its type is known after the first time.
package main

import (
	"bytes"
	"encoding/gob"
	"flag"

	"landline.invalid/bench/outcome"
)

// together is how many values count as one operation, so that the clock does not count.
const together = 100

// Account is the same as in bench/src/gob.rs.
type Account struct {
	Id      int64
	Number  uint64
	Active  bool
	Name    string
	Email   string
	Balance float64
	Limit   float64
	Created int64
	Updated int64
	Flags   uint32
	Region  string
	Score   int32
	Ratio   float32
	Tags    []string
	Codes   []int64
	Parent  int64
	Level   int8
	Note    string
	Token   []byte
	Closed  bool
}

var account = Account{
	123_456, 987_654_321, true, "Ada Lovelace", "ada@example.com", 1234.56, 10_000, 1_700_000_000, 1_710_000_000, 0x8001,
	"eu-west-1", -42, 0.75, []string{"a", "bc"}, []int64{1, 200, 30_000}, 123_455, 3, "a note of some length",
	bytes.Repeat([]byte{7}, 16), true,
}

// numbers are about a quarter each of one, two, three and four bytes on the wire, in no order that can be guessed.
func numbers() []int64 {
	state := uint32(1)
	next := func() uint32 {
		state = state*1_664_525 + 1_013_904_223
		return state >> 8
	}
	list := make([]int64, 1000)
	for i := range list {
		size := next() % 4
		positive := int64(next()) >> []int{18, 17, 9, 1}[size]
		if next()%2 == 0 {
			list[i] = positive
		} else {
			list[i] = ^positive
		}
	}
	return list
}

func main() {
	what := flag.String("what", "", "encode-struct, decode-struct, encode-slice or decode-slice")
	pace := outcome.Flags()
	flag.Parse()

	switch *what {
	case "encode-struct":
		encode(pace, &account)
	case "decode-struct":
		decode(pace, &account)
	case "encode-slice":
		list := numbers()
		encode(pace, &list)
	case "decode-slice":
		list := numbers()
		decode(pace, &list)
	default:
		flag.Usage()
	}
}

func encode[T any](pace *outcome.Pace, value *T) {
	var buffer bytes.Buffer
	encoder := gob.NewEncoder(&buffer)
	outcome.Check(encoder.Encode(value))
	pace.Start()
	for {
		if _, more := pace.Another(); !more {
			break
		}
		for range together {
			buffer.Reset()
			outcome.Check(encoder.Encode(value))
		}
		pace.Done()
	}
	pace.Print()
}

func decode[T any](pace *outcome.Pace, value *T) {
	var buffer bytes.Buffer
	encoder := gob.NewEncoder(&buffer)
	outcome.Check(encoder.Encode(value))
	first := bytes.Clone(buffer.Bytes())
	buffer.Reset()
	outcome.Check(encoder.Encode(value))
	// A reader that Go does not put a buffer before.
	input := bytes.NewReader(first)
	decoder := gob.NewDecoder(input)
	outcome.Check(decoder.Decode(new(T)))
	again := buffer.Bytes()
	pace.Start()
	for {
		if _, more := pace.Another(); !more {
			break
		}
		for range together {
			input.Reset(again)
			outcome.Check(decoder.Decode(new(T)))
		}
		pace.Done()
	}
	pace.Print()
}

// Dial: net.Dialer with its defaults, which are no-delay and a keep-alive of 15 s, 15 s and 9 probes;
// with -plain no-delay only, which it cannot be kept from setting.
package main

import (
	"flag"
	"net"

	"landline.invalid/bench/outcome"
)

func main() {
	to := flag.String("to", "", "address to dial")
	plain := flag.Bool("plain", false, "without keep-alive")
	pace := outcome.Flags()
	flag.Parse()

	var dialer net.Dialer
	if *plain {
		dialer.KeepAlive = -1
	}
	pace.Start()
	for {
		if _, more := pace.Another(); !more {
			break
		}
		conn, err := dialer.Dial("tcp", *to)
		outcome.Check(err)
		conn.Close()
		pace.Done()
	}
	pace.Print()
}

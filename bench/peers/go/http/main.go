// HTTP: net/http, with its defaults.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"

	"landline.invalid/bench/outcome"
)

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	outcome.Check(err)
	fmt.Println("listening", listener.Addr())
	outcome.Check(http.Serve(listener, http.HandlerFunc(hello)))
}

func hello(w http.ResponseWriter, _ *http.Request) {
	// Without it, it would be guessed from the text.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "Hello, world!")
}
